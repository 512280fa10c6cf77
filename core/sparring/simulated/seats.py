"""Victim and attacker at the table: their memories and chance, episode by episode, mixtures drawn once an episode."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError
from sparring.policy import Mixture, Policy
from sparring.simulated._protocols import follows
from sparring.simulated.chance import EpisodeStreams
from sparring.streams import stream

__all__ = ["Renewing", "Seat", "parts_of", "pick"]

Flags = NDArray[np.bool_]
Array = NDArray[Any]


@runtime_checkable
class Renewing(Protocol):
    """A policy with memory that can begin some episodes anew while others go on."""

    def renew(self, memory: Any, where: Flags) -> Any:
        """Memory in which the marked episodes begin anew; the memory given stays as it is."""
        ...


def parts_of(policy: Policy) -> tuple[tuple[Policy, ...], tuple[float, ...]]:
    """The policies of a mixture with their weights; a single policy is a mixture of one."""
    if isinstance(policy, Mixture):
        return policy.policies, policy.weights
    return (policy,), (1.0,)


def pick(policy: Policy, seed: int, purpose: str) -> int:
    """Which part of a mixture acts in the episode of a seed."""
    _, weights = parts_of(policy)
    if len(weights) == 1:
        return 0
    ends = np.cumsum(weights)
    return int(np.searchsorted(ends, stream(seed, purpose, "part").random() * ends[-1], side="right"))


class Seat:
    """A policy or mixture in a batch of episodes. What happens in one episode depends on its own seed alone."""

    def __init__(self, policy: Policy, purpose: str) -> None:
        """`purpose` names its streams of chance."""
        self.policy, self.purpose = policy, purpose
        self.parts, _ = parts_of(policy)
        self.seeds: list[int] = []
        self.which = np.zeros(0, dtype=np.int64)
        self.memories: list[Any] = []
        self._chance: list[EpisodeStreams] = []

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin one episode for each seed."""
        self.seeds = list(seeds)
        self.which = np.array([pick(self.policy, seed, self.purpose) for seed in seeds], dtype=np.int64)
        self.memories = [_acting(part).begin(len(seeds)) for part in self.parts]
        # One part acts in an episode: it draws what it would draw if it were there alone.
        self._chance = [EpisodeStreams(seeds, self.purpose) for _ in self.parts]

    def renew(self, where: Flags, seeds: Sequence[int]) -> None:
        """Begin new episodes in the marked places, with nothing left of those before.

        Raises:
            RefusedError: a policy's memory cannot be begun anew for some episodes alone.
        """
        self.seeds, self.which = list(self.seeds), self.which.copy()
        for place, seed in zip(np.flatnonzero(where).tolist(), seeds, strict=True):
            self.seeds[place] = seed
        self.which[where] = [pick(self.policy, seed, self.purpose) for seed in seeds]
        for place, part in enumerate(self.parts):
            self._chance[place].renew(where, seeds)
            if self.memories[place] is None:
                continue
            if not isinstance(part, Renewing):
                raise RefusedError(
                    f"{type(part).__name__}: its memory cannot be begun anew for single episodes (renew)"
                )
            self.memories[place] = part.renew(self.memories[place], where)

    @property
    def renewable(self) -> bool:
        """Whether single episodes can be begun anew."""
        pairs = zip(self.parts, self.memories, strict=True)
        return all(memory is None or follows(part, Renewing) for part, memory in pairs)

    def ask(self, question: Callable[[Policy, Any, EpisodeStreams], tuple[Array, Any]]) -> Array:
        """Let the part that acts in each episode answer, [batch, ...]; its memory moves on."""
        if len(self.parts) == 1:
            alone, self.memories[0] = question(self.parts[0], self.memories[0], self._chance[0])
            return np.asarray(alone)
        answer: Array | None = None
        for place, part in enumerate(self.parts):
            rows = self.which == place
            if not rows.any():
                continue
            given, self.memories[place] = question(part, self.memories[place], self._chance[place])
            if answer is None or rows.all():
                answer = np.asarray(given)
            else:
                answer = np.where(rows.reshape(-1, *(1 for _ in answer.shape[1:])), given, answer)
        assert answer is not None  # every episode has its part
        return answer

    def save(self) -> dict[str, Any]:
        """What later answers depend on, besides the policies."""
        kept = {"seeds": self.seeds, "which": self.which, "memories": self.memories, "chance": self._chance}
        return copy.deepcopy(kept)

    def load(self, saved: dict[str, Any]) -> None:
        """Go back to a saved state; policies whose memory is of another kind begin theirs in mid-episode."""
        self.begin(saved["seeds"])
        kept = copy.deepcopy(saved)
        if len(kept["memories"]) != len(self.parts):
            return
        self.which, self._chance = kept["which"], kept["chance"]
        pairs = zip(self.memories, kept["memories"], strict=True)
        self.memories = [old if _alike(new, old) else new for new, old in pairs]


def _acting(policy: Policy) -> Any:
    """The policy, which `SimulatedAttackGame.check_policy` has seen to act."""
    return policy


def _alike(one: Any, other: Any) -> bool:
    """Whether two memories are of one kind, as far as can be told."""
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return bool(one.shape == other.shape)
    return bool(type(one) is type(other))
