"""A world in this process: a list of environments, stepped one after another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, SparringError
from sparring.simulated.bookkeeping import checked_actions, checked_seeds, moving
from sparring.simulated.faults import WorldError
from sparring.simulated.knobs import Knob
from sparring.simulated.spaces import Discrete, Space
from sparring.simulated.world import Step
from sparring_games.gymnasium.complaints import unstable
from sparring_games.gymnasium.dynamics import Dynamics
from sparring_games.gymnasium.engine import one_line
from sparring_games.gymnasium.recipe import Recipe
from sparring_games.gymnasium.snapshots import restore, snapshot

__all__ = ["EnvironmentBatch", "MakeBatch"]

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class MakeBatch:
    """Makes batches of a given size; can be sent to a worker process."""

    recipe: Recipe
    observation: Space
    action: Space

    def __call__(self, size: int) -> EnvironmentBatch:
        """Make one."""
        return EnvironmentBatch(self.recipe, size, self.observation, self.action)


class EnvironmentBatch:
    """Environments of one recipe. All chance of an episode comes from `reset(seed=...)`, as Gymnasium means it."""

    def __init__(self, recipe: Recipe, size: int, observation: Space, action: Space) -> None:
        """Make `size` environments.

        Raises:
            RequestError: no places, or the environment cannot be made.
        """
        if size < 1:
            raise RequestError(f"{recipe.spec}: {size} episodes, give 1 or more")
        self.size = size
        self._where, self._observation, self._action = recipe.spec, observation, action
        self._environments = [recipe.make() for _ in range(size)]
        self._dynamics: dict[int, Dynamics] = {}
        """Of those places where anything has ever been turned."""
        self._start = int(getattr(self._environments[0].action_space, "start", 0))
        self._begin([])

    def _begin(self, seeds: list[int]) -> None:
        batch = len(seeds)
        self._seeds = seeds
        self._observations = np.zeros((batch, *self._observation.shape), dtype=self._observation.dtype)
        self._terminated, self._truncated = np.zeros(batch, dtype=np.bool_), np.zeros(batch, dtype=np.bool_)
        self._lengths = np.zeros(batch, dtype=np.int64)

    @property
    def observations(self) -> NDArray[Any]:
        """What the episodes show now, [batch, *observation]."""
        return self._observations

    def reset(self, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin one episode for each seed."""
        self._begin(checked_seeds(seeds, self.size, self._where))
        for place in range(len(self._seeds)):
            self._fresh(place)
        return self._observations

    def restart(self, where: Flags, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin new episodes in the marked places."""
        places = np.flatnonzero(moving(where, np.zeros_like(self._terminated), self._where))
        given = checked_seeds(seeds, len(places), self._where)
        if len(given) != len(places):
            raise RequestError(f"{self._where}: {len(given)} seeds for {len(places)} places, give one for each")
        self._observations = self._observations.copy()
        self._terminated, self._truncated = self._terminated.copy(), self._truncated.copy()
        for place, seed in zip(places.tolist(), given, strict=True):
            self._seeds[place] = seed
            self._terminated[place] = self._truncated[place] = False
            self._lengths[place] = 0
            self._fresh(place)
        return self._observations

    def step(self, actions: NDArray[Any], active: Flags | None = None) -> Step:
        """Move the active episodes."""
        given = checked_actions(actions, len(self._seeds), self._action.shape, self._where)
        moves = moving(active, self._terminated | self._truncated, self._where)
        rewards = np.zeros(len(self._seeds))
        self._observations = self._observations.copy()
        self._lengths += moves
        for place in moves.nonzero()[0].tolist():
            rewards[place] = self._move(place, given[place])
        self._check_numbers(rewards)
        return Step(self._observations, rewards, self._terminated, self._truncated)

    def turn(self, knobs: Sequence[Knob], values: NDArray[Any], where: Flags) -> None:
        """Turn knobs of the dynamics, in the marked episodes that have not finished."""
        ends = np.cumsum([knob.width for knob in knobs])[:-1]
        for place in np.flatnonzero(where & ~(self._terminated | self._truncated)).tolist():
            if place not in self._dynamics:
                self._dynamics[place] = Dynamics(self._environments[place])
            parts = np.split(np.asarray(values[place], dtype=np.float64), ends)
            self._dynamics[place].turn({knob: tuple(part.tolist()) for knob, part in zip(knobs, parts, strict=True)})

    def save(self) -> Any:
        """Everything that later steps depend on."""
        return {
            "seeds": list(self._seeds),
            "arrays": [each.copy() for each in self._arrays()],
            "environments": [snapshot(each) for each in self._environments[: len(self._seeds)]],
            "turned": {place: dict(each.turned) for place, each in self._dynamics.items() if each.turned},
        }

    def load(self, saved: Any) -> None:
        """Go back to a saved state.

        Raises:
            RequestError: it holds more episodes than this world.
        """
        if len(saved["seeds"]) > self.size:
            raise RequestError(f"{self._where}: a state of {len(saved['seeds'])} episodes for a batch of {self.size}")
        fresh = max(0, len(saved["seeds"]) - len(self._seeds))
        for environment in self._environments[len(saved["seeds"]) - fresh : len(saved["seeds"])]:
            environment.reset(seed=0)  # some parts of a state exist only once an episode has begun
        self._seeds = list(saved["seeds"])
        self._observations, self._terminated, self._truncated, self._lengths = (each.copy() for each in saved["arrays"])
        for place in {*self._dynamics, *saved["turned"]}:
            self._dynamics.setdefault(place, Dynamics(self._environments[place])).set(saved["turned"].get(place, {}))
        for environment, state in zip(self._environments, saved["environments"], strict=False):
            restore(environment, state)

    def close(self) -> None:
        """Close the environments."""
        for environment in self._environments:
            environment.close()
        self._environments, self._dynamics = [], {}

    def _arrays(self) -> tuple[NDArray[Any], ...]:
        return self._observations, self._terminated, self._truncated, self._lengths

    def _fresh(self, place: int) -> None:
        self._release(place)
        try:
            self._observations[place] = self._environments[place].reset(seed=self._seeds[place])[0]
        except Exception as error:  # an environment is anybody's code
            raise self._fault(place, error) from error

    def _release(self, place: int) -> None:
        """Make the dynamics nominal again."""
        if place in self._dynamics:
            self._dynamics[place].set({})

    def _move(self, place: int, action: Any) -> float:
        """Step one environment and keep what it shows; returns its reward."""
        if isinstance(self._action, Discrete):
            choice = int(action)
            if not 0 <= choice < self._action.count:
                raise RequestError(
                    f"{self._where}: action {choice}, expected a number from 0 to {self._action.count - 1}"
                )
            action = choice + self._start

        try:
            shown, reward, ended, cut, _ = self._environments[place].step(action)
            self._observations[place] = shown
            gained = float(reward)
        except Exception as error:  # an environment is anybody's code
            raise self._fault(place, error) from error
        if ended or cut:
            self._terminated, self._truncated = self._terminated.copy(), self._truncated.copy()  # others hold them
            self._terminated[place], self._truncated[place] = bool(ended), bool(cut)
            self._release(place)
        broken = unstable()
        if broken is not None:
            raise WorldError(f"{self._at(place)}: {broken}")
        return gained

    def _fault(self, place: int, error: Exception) -> SparringError:
        """What an environment raised, on one line."""
        if isinstance(error, SparringError):
            return error
        return WorldError(f"{self._at(place)}: {type(error).__name__}: {one_line(error)}")

    def _check_numbers(self, rewards: NDArray[np.float64]) -> None:
        floats = self._observations.dtype.kind == "f"
        if np.isfinite(rewards).all() and (not floats or np.isfinite(self._observations).all()):
            return
        shown = self._observations.reshape(len(rewards), -1)
        sound = np.isfinite(rewards) & (np.isfinite(shown).all(axis=1) if floats else True)
        place = int(np.flatnonzero(~sound)[0])
        what = "an observation" if np.isfinite(rewards[place]) else "a reward"
        raise WorldError(f"{self._at(place)}: {what} is not a number")

    def _at(self, place: int) -> str:
        return f"{self._where}: episode with seed {self._seeds[place]}, step {int(self._lengths[place])}"
