"""What a victim does along a rollout, and what else it may do under attack."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.acting import Acting
from sparring.bounds import BoundBackend
from sparring.certificates._bounding import outputs_of
from sparring.certificates.actions import CertifiedActions, certify_actions
from sparring.certificates.regions import Normalisation, observation_region
from sparring.certificates.victims import greedy_module
from sparring.errors import RefusedError
from sparring.policy import Policy

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Attack", "Decider", "Memoryless", "acted", "check_greedy"]

Observation = NDArray[np.generic]
EQUAL = 2.0**-12
"""Relative distance of two outputs below which a policy may call them equal and choose either."""


@dataclass(frozen=True, eq=False)
class Attack:
    """What the attacker may show, and who bounds what comes of it."""

    ball: Ball
    radius: float
    backend: BoundBackend
    normalisation: Normalisation | None


class Decider(ABC):
    """A victim as the search sees it."""

    mergeable: bool
    """Whether a simulator's state decides everything that the victim does from there on."""

    @abstractmethod
    def begin(self) -> Any:
        """Memory at the start of an episode."""

    @abstractmethod
    def act(self, observation: Observation, memory: Any) -> tuple[int, Any]:
        """The action without attack at this step, and the memory after it under any attack."""

    @abstractmethod
    def possible(
        self, observations: Sequence[Observation], memories: Sequence[Any], actions: Sequence[int]
    ) -> NDArray[np.bool_]:
        """Actions that the attacker may bring about at each of several steps, [steps, actions], in one call.

        Raises:
            RefusedError: `actions`, which the policy took, are not the greedy ones.
        """


class Memoryless(Decider):
    """A greedy policy that looks at nothing but the observation."""

    mergeable = True

    def __init__(self, policy: Policy, attack: Attack) -> None:
        self.policy, self.attack = policy, attack
        self.module: nn.Module = greedy_module(policy)
        self._known: dict[bytes, NDArray[np.bool_]] = {}

    def begin(self) -> Any:
        """The policy's own."""
        return self.policy.begin(1) if isinstance(self.policy, Acting) else None

    def act(self, observation: Observation, memory: Any) -> tuple[int, Any]:
        """What the policy does, or the greedy action where it only is a network."""
        if isinstance(self.policy, Acting):
            return acted(self.policy, observation, memory)
        still = observation_region(
            self.attack.ball, 0.0, observation[None], self.module, normalisation=self.attack.normalisation
        )
        return int(outputs_of(self.module, still).argmax(axis=1)[0]), None

    def possible(
        self, observations: Sequence[Observation], memories: Sequence[Any], actions: Sequence[int]
    ) -> NDArray[np.bool_]:
        """Bounds all observations that were not bounded before in one call."""
        keys = [_digest(observation, action) for observation, action in zip(observations, actions, strict=True)]
        new = [place for place, key in enumerate(keys) if key not in self._known]
        if new:
            region = observation_region(
                self.attack.ball, self.attack.radius, np.stack([observations[place] for place in new]), self.module,
                normalisation=self.attack.normalisation,
            )  # fmt: skip
            found = certify_actions(self.module, region, self.attack.backend)
            check_greedy(found, [actions[place] for place in new], self.policy)
            self._known.update(zip((keys[place] for place in new), found.possible, strict=True))
        return np.stack([self._known[key] for key in keys])


def acted(policy: Acting, observation: Observation, memory: Any) -> tuple[int, Any]:
    """One discrete action of a policy that draws nothing.

    Raises:
        RefusedError: it gives no single whole number.
    """
    action, after = policy.act(observation[None], memory, np.random.default_rng(0))
    given = np.asarray(action)
    if given.shape != (1,) or given.dtype.kind not in "iu":
        kind = f"actions of shape {list(given.shape)} and type {given.dtype}"
        raise RefusedError(
            f"certificate: {type(policy).__name__} gives {kind}; returns are certified for discrete ones"
        )
    return int(given[0]), after


def check_greedy(found: CertifiedActions, actions: Sequence[int], policy: Policy) -> None:
    """Refuse a policy that takes an action other than the greatest of its network's outputs.

    Outputs that rounding can hardly tell apart may be taken for equal, if the bounds call either possible.
    """
    taken = np.asarray(actions)
    steps = np.arange(len(taken))
    legal = (taken >= 0) & (taken < found.values.shape[1])
    if legal.all():
        best, own = found.values.max(axis=1), found.values[steps, taken]
        near = own >= best - EQUAL * np.abs(found.values).max(axis=1)
        # Comparisons with NaN are false: a network that gives none has no greedy action to check against.
        legal = (near | np.isnan(best)) & found.possible[steps, taken]
    if not legal.all():
        action = int(taken[np.flatnonzero(~legal)[0]])
        raise RefusedError(
            f"certificate: {type(policy).__name__} takes action {action} where its network's greatest output is another"
        )


def _digest(observation: Observation, action: int) -> bytes:
    array = np.ascontiguousarray(observation)
    head = f"{array.dtype.str}{array.shape}{action};".encode()
    return hashlib.sha256(head + array.tobytes()).digest()
