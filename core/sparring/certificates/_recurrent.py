"""A recurrent victim whose state is carried as a region: whatever the attacker showed so far, it lies in a box."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.acting import Acting
from sparring.bounds import Region
from sparring.certificates._bounding import bounds_of, check_inside, outputs_of
from sparring.certificates._deciders import Attack, Decider, acted, check_greedy
from sparring.certificates.actions import certify_actions
from sparring.certificates.regions import observation_region
from sparring.certificates.victims import recurrent_module
from sparring.errors import RefusedError
from sparring.policy import Policy

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Recurrent"]

Observation = NDArray[np.generic]


@dataclass(frozen=True, eq=False)
class _Carried:
    """Memory before a step."""

    own: Any
    """The policy's, on the way without attack."""
    state: Tensor
    """The same as numbers, [width]."""
    low: Tensor
    """Least state that any attack so far may have left, [width]."""
    high: Tensor


class Recurrent(Decider):
    """A greedy policy with a state. Each step needs the state's bounds after the step before, so a call of its own."""

    mergeable = False

    def __init__(self, policy: Policy, attack: Attack) -> None:
        self.policy, self.attack = policy, attack
        self.step, self.first = recurrent_module(policy)

    def begin(self) -> _Carried:
        """The first state, known exactly."""
        own = self.policy.begin(1) if isinstance(self.policy, Acting) else None
        return _Carried(own, self.first, self.first, self.first)

    def act(self, observation: Observation, memory: Any) -> tuple[int, Any]:
        """The action without attack, and bounds of the state after the step."""
        import torch

        joined = self._network(observation, only_values=False)
        region = self._region([observation], [memory])
        outputs = outputs_of(joined, region)
        width = len(self.first)
        actions = outputs.shape[1] - width
        rows = np.eye(outputs.shape[1])[actions:]
        low, high = bounds_of(joined, region, self.attack.backend, rows)
        if not (np.isfinite(low).all() and np.isfinite(high).all()):
            raise RefusedError("certificate: no finite bound of the recurrent state is known")
        after = outputs[:, actions:]
        check_inside(after, low, high, np.abs(after).max(axis=1, keepdims=True), self.attack.backend, self.first.dtype)
        nominal, least, most = (
            torch.as_tensor(part[0]).to(self.first) for part in (after, np.minimum(low, after), np.maximum(high, after))
        )
        if isinstance(self.policy, Acting):
            action, own = acted(self.policy, observation, memory.own)
        else:
            action, own = int(outputs[0, :actions].argmax()), None
        return action, _Carried(own, nominal, least, most)

    def possible(
        self, observations: Sequence[Observation], memories: Sequence[Any], actions: Sequence[int]
    ) -> NDArray[np.bool_]:
        """Bounds the values of all steps in one call, once the states are bounded."""
        network = self._network(observations[0], only_values=True)
        found = certify_actions(network, self._region(observations, memories), self.attack.backend)
        check_greedy(found, actions, self.policy)
        return found.possible

    def _network(self, observation: Observation, *, only_values: bool) -> nn.Module:
        from sparring.certificates._joined import JoinedStep

        return JoinedStep(self.step, np.shape(observation), only_values=only_values)

    def _region(self, observations: Sequence[Observation], memories: Sequence[_Carried]) -> Region:
        """Observations beside states, [batch, features + width], as a box."""
        import torch

        from sparring.certificates._joined import joined_region

        seen = observation_region(
            self.attack.ball, self.attack.radius, np.stack(observations), self.step,
            normalisation=self.attack.normalisation,
        )  # fmt: skip
        states = zip(*((memory.state, memory.low, memory.high) for memory in memories), strict=True)
        return joined_region(seen, *(torch.stack(part) for part in states))
