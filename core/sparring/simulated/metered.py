"""Worlds that count the steps they really make, so that nobody has to be believed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.world import Step, World

__all__ = ["MeteredWorld", "StepCount"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(eq=False)
class StepCount:
    """Steps of single episodes, over all worlds that share it."""

    steps: int = 0


class MeteredWorld:
    """A world as it is, whose steps are counted; what else it offers is passed on."""

    def __init__(self, world: World, count: StepCount) -> None:
        self._world, self._count, self.size = world, count, world.size
        self._running: Flags = np.zeros(0, dtype=np.bool_)

    def __getattr__(self, name: str) -> Any:
        if name == "_world":  # asked for before there is one, as copies do
            raise AttributeError(name)
        return getattr(self._world, name)

    @property
    def observations(self) -> Array:
        """What the episodes show now, [batch, *observation]."""
        return self._world.observations

    def reset(self, seeds: Sequence[int]) -> Array:
        """Begin one episode for each seed."""
        found = self._world.reset(seeds)
        self._running = np.ones(len(found), dtype=np.bool_)
        return found

    def restart(self, where: Flags, seeds: Sequence[int]) -> Array:
        """Begin new episodes in the marked places."""
        found = self._world.restart(where, seeds)
        self._running = self._running | np.asarray(where, dtype=np.bool_)
        return found

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        """Move the active episodes, and count them."""
        step = self._world.step(actions, active)
        moved = self._running if active is None else self._running & active
        self._count.steps += int(np.count_nonzero(moved))
        self._running = ~step.finished
        return step

    def save(self) -> Any:
        """The state of all episodes."""
        return self._running.copy(), self._world.save()

    def load(self, saved: Any) -> None:
        """Go back to a saved state."""
        running, inner = saved
        self._running = running.copy()
        self._world.load(inner)

    def close(self) -> None:
        """Give back what the simulator holds."""
        self._world.close()
