"""Episodes of which everything is written down: what is true, what the victim saw and did, what the world was sent."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance
from sparring.simulated.game import SimulatedGame
from sparring.simulated.normalising import Normalising
from sparring.simulated.world import Step, World

__all__ = ["Log", "Moment", "WatchedVictim", "logged"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Moment:
    """One step of a batch of episodes."""

    truth: Array
    """[batch, *observation]; normalised where the victim was handed normalised observations."""
    shown: Array
    """What the victim saw, [batch, *observation]."""
    acted: Array
    """What the victim did, [batch, *action]."""
    sent: Array
    """What the world got, [batch, *action]."""
    running: Flags
    """Which episodes moved, [batch]."""
    turned: tuple[tuple[Any, Array, Flags], ...]
    """Knobs of the dynamics that were turned before this step, their values and where."""


@dataclass(eq=False)
class Log:
    """What world and victim have written down, to be put together step by step."""

    worlds: list[tuple[Array, Array, Flags, tuple[tuple[Any, Array, Flags], ...]]] = field(default_factory=list)
    victims: list[tuple[Array, Array, bool]] = field(default_factory=list)

    def moments(self, victim: WatchedVictim) -> list[Moment]:
        """Step by step."""
        found = []
        for (truth, sent, running, turned), (shown, acted, inside) in zip(self.worlds, self.victims, strict=True):
            seen = victim.normalised(truth) if inside else truth
            found.append(Moment(seen, shown, acted, sent, running, turned))
        return found


class _LoggedWorld:
    """A world that writes down what it is sent."""

    def __init__(self, world: World, log: Log) -> None:
        self._world, self._log, self.size = world, log, world.size
        self._finished: Flags = np.zeros(0, dtype=np.bool_)
        self._turned: list[tuple[Any, Array, Flags]] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def reset(self, seeds: Sequence[int]) -> Array:
        found = self._world.reset(seeds)
        self._finished = np.zeros(len(found), dtype=np.bool_)
        return found

    def turn(self, knobs: Any, values: Array, where: Flags) -> None:
        self._turned.append((knobs, np.array(values), np.array(where)))
        self._world.turn(knobs, values, where)  # type: ignore[attr-defined]  # worlds whose game has knobs have it

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        truth, running = np.array(self._world.observations), ~self._finished
        self._log.worlds.append((truth, np.array(actions), running, tuple(self._turned)))
        self._turned = []
        step = self._world.step(actions, active)
        self._finished = np.array(step.finished)
        return step


def logged(game: SimulatedGame, log: Log) -> SimulatedGame:
    """The same game, whose worlds write into the log."""
    kept = copy.copy(game)

    def world(size: int, workers: int = 0) -> World:
        made: Any = _LoggedWorld(game.world(size), log)
        return made  # type: ignore[no-any-return]  # passes on what it does not write down

    # Methods of the instance stand before those of its class, whichever that is.
    object.__setattr__(kept, "world", world)
    return kept


@dataclass(frozen=True, eq=False)
class WatchedVictim(Policy):
    """A victim that writes down what it sees and does."""

    whole: Any
    """The policy itself."""
    log: Log
    inside: bool = False
    """Whether it is handed normalised observations."""

    @property
    def form(self) -> Any:
        """That of the policy."""
        return self.whole.form

    @property
    def abilities(self) -> frozenset[Ability]:
        """Those of the policy."""
        abilities: frozenset[Ability] = self.whole.abilities
        return abilities

    def begin(self, batch: int) -> Any:
        """Its memory."""
        return self.whole.begin(batch)

    def normalised(self, observation: NDArray[np.generic]) -> Array:
        """Observations as its network sees them; those of a policy that normalises nothing as they are."""
        if isinstance(self.whole, Normalising):
            return self.whole.normalised(observation)
        return np.asarray(observation)

    def inner(self) -> Policy:
        """The policy of normalised observations, watched too."""
        return replace(self, whole=self.whole.inner(), inside=True) if isinstance(self.whole, Normalising) else self

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Act, and write it down."""
        acted, after = self.whole.act(observation, memory, rng)
        self.log.victims.append((np.array(observation), np.array(acted), self.inside))
        return acted, after

    def to_document(self) -> dict[str, Any]:
        """That of the policy."""
        document: dict[str, Any] = self.whole.to_document()
        return document
