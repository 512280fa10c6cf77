"""A small world of numpy alone, so that the kit's simulated games need no simulator: three numbers that drift."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.budgets import FORCE_BOUND, RELATIVE_CHANGE
from sparring.simulated.bookkeeping import checked_actions, checked_seeds, moving
from sparring.simulated.game import SimulatedGame
from sparring.simulated.knobs import Knob
from sparring.simulated.spaces import Box, Discrete, Space
from sparring.simulated.world import Step
from sparring.streams import stream

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame

__all__ = ["DriftGame", "DriftWorld", "drift_choices", "drift_push", "drift_still"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
FEATURES = 3
SHORTEST, LONGEST, CUT = 4, 14, 10
"""Steps after which an episode comes to its own end, drawn at its beginning, and after which it is cut."""
HOLD, GAIN = 0.875, 0.375
PUSHES = np.array([[1.0, 0.25, -0.5], [-0.25, 1.0, 0.5]])
"""What each entry of a vector action does to each feature."""
CHOICES = np.array([[1.0, 0.0, -0.5], [0.0, -1.0, 0.5], [-0.5, 0.5, 0.0]])
"""What each choice does to each feature."""
FORCE = Knob("force", "drift", FORCE_BOUND, ("x", "y", "z"))
MASS = Knob("mass", "drift", RELATIVE_CHANGE, held=True)
PER_NEWTON = 0.1


@dataclass(frozen=True, eq=False)
class DriftGame(SimulatedGame):
    """Keep three drifting numbers near 0: a step is worth `1 / (1 + |x|^2)`, never less than 0."""

    noise: float = 0.0
    """Size of what pushes the numbers besides the action."""

    @property
    def knobs(self) -> tuple[Knob, ...]:
        """A force on the numbers at every step, and how heavy they are, for an episode."""
        return FORCE, MASS

    def world(self, size: int, workers: int = 0) -> DriftWorld:
        """A world in this process; there is nothing to share."""
        return DriftWorld(self, size)

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """The form's attack game, with a learner of numpy alone where none is named."""
        from sparring.testing.drift_duel import DriftDuel

        return DriftDuel(self, charged)


class DriftWorld:
    """A batch of episodes; everything is computed row by row, so that the batch changes nothing."""

    def __init__(self, game: DriftGame, size: int) -> None:
        self.size, self._game = size, game
        self._at: Floats = np.zeros((0, FEATURES))
        self._forces: Floats = np.zeros((0, FEATURES))
        self._heavier: Floats = np.zeros(0)
        self._age = self._end = np.zeros(0, dtype=np.int64)
        self._streams: list[np.random.Generator] = []

    @property
    def observations(self) -> Array:
        """The numbers, [batch, 3], in the game's type."""
        return self._at.astype(self._game.observation.dtype)

    def reset(self, seeds: Sequence[int]) -> Array:
        """Begin one episode for each seed."""
        given = checked_seeds(seeds, self.size, self._game.spec)
        batch = len(given)
        self._at, self._forces = np.zeros((batch, FEATURES)), np.zeros((batch, FEATURES))
        self._heavier = np.zeros(batch)
        self._age, self._end = np.zeros(batch, dtype=np.int64), np.zeros(batch, dtype=np.int64)
        self._streams = [np.random.default_rng(0)] * batch
        return self._begun(range(batch), given)

    def restart(self, where: Flags, seeds: Sequence[int]) -> Array:
        """Begin new episodes in the marked places."""
        marks = moving(where, np.zeros(len(self._at), dtype=np.bool_), self._game.spec)
        given = checked_seeds(seeds, int(marks.sum()), self._game.spec)
        self._streams = list(self._streams)
        return self._begun(np.flatnonzero(marks).tolist(), given)

    def _begun(self, places: Sequence[int], seeds: Sequence[int]) -> Array:
        self._at, self._age, self._end = self._at.copy(), self._age.copy(), self._end.copy()
        self._forces, self._heavier = self._forces.copy(), self._heavier.copy()
        for place, seed in zip(places, seeds, strict=True):
            chance = stream(seed, "drift")
            self._streams[place], self._age[place] = chance, 0
            self._at[place], self._end[place] = chance.normal(size=FEATURES), chance.integers(SHORTEST, LONGEST)
            self._forces[place] = self._heavier[place] = 0.0
        return self.observations

    @property
    def _finished(self) -> Flags:
        return np.asarray((self._age >= self._end) | (self._age >= CUT))

    def turn(self, knobs: Sequence[Knob], values: Array, where: Flags) -> None:
        """Push the numbers, or change how heavy they are, until that is turned again or the episode ends."""
        marks, at = np.asarray(where, dtype=np.bool_) & ~self._finished, 0
        for knob in knobs:
            part, at = np.asarray(values)[:, at : at + knob.width], at + knob.width
            if knob.name == FORCE.name:
                self._forces = np.where(marks[:, None], PER_NEWTON * part, self._forces)
            else:
                self._heavier = np.where(marks, part[:, 0], self._heavier)

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        """Drift, pushed by the actions; vectors are not clipped, as robots do not clip theirs."""
        game = self._game
        given = checked_actions(actions, len(self._at), game.action.shape, game.spec)
        moves = moving(active, self._finished, game.spec)
        if isinstance(game.action, Discrete):
            pushed = CHOICES[np.where(moves, given, 0).astype(np.int64)]
        else:
            wide = given.astype(np.float64)
            pushed = wide[:, :1] * PUSHES[0] + wide[:, 1:] * PUSHES[1]  # no product of BLAS, which sums by batch size
        shaken = np.array([each.normal(size=FEATURES) if go else np.zeros(FEATURES)
                           for each, go in zip(self._streams, moves.tolist(), strict=True)])  # fmt: skip
        pushed = (GAIN * pushed + self._forces) / (1 + self._heavier[:, None])
        moved = HOLD * self._at + pushed + game.noise * shaken
        self._at, self._age = np.where(moves[:, None], moved, self._at), self._age + moves
        size = self._at[:, 0] ** 2 + self._at[:, 1] ** 2 + self._at[:, 2] ** 2
        ended = self._age >= self._end
        return Step(self.observations, np.where(moves, 1 / (1 + size), 0.0), ended, (self._age >= CUT) & ~ended)

    def save(self) -> Any:
        """Everything, copied."""
        return copy.deepcopy((self._at, self._forces, self._heavier, self._age, self._end, self._streams))

    def load(self, saved: Any) -> None:
        """Everything, set back."""
        self._at, self._forces, self._heavier, self._age, self._end, self._streams = copy.deepcopy(saved)

    def close(self) -> None:
        """Nothing is held."""


def drift_push() -> DriftGame:
    """Vector actions and noise."""
    return _game("kit:drift", Box(-np.ones(2), np.ones(2)), "float64", 0.05)


def drift_still() -> DriftGame:
    """Vector actions, and nothing drawn after the start."""
    return replace(drift_push(), spec="kit:drift-still", noise=0.0)


def drift_choices() -> DriftGame:
    """Three choices, noise, and observations in single precision."""
    return _game("kit:drift-choices", Discrete(3), "float32", 0.05)


def _game(spec: str, action: Space, dtype: str, noise: float) -> DriftGame:
    anywhere = np.full(FEATURES, np.inf)
    return DriftGame(spec, Box(-anywhere, anywhere, dtype), action, CUT, 0.0, noise)
