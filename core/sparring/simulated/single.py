"""One episode of a world as the simulator that return certificates set back and forth."""

from __future__ import annotations

import hashlib
import pickle
from collections.abc import Callable, Hashable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.world import World

__all__ = ["SingleEpisode"]


class SingleEpisode:
    """Plays one episode at a time, as `sparring.certificates.simulator.Simulator` asks."""

    def __init__(self, world: World, seen: Callable[[NDArray[Any]], NDArray[Any]] = np.asarray) -> None:
        """Use a world of its own; nobody else may step it meanwhile.

        Args:
            world: of one episode.
            seen: what the victim sees of observations [batch, *observation].
        """
        self._world, self._seen = world, seen

    def reset(self, seed: int) -> NDArray[np.generic]:
        """Begin the episode of a seed; its first observation."""
        first: NDArray[np.generic] = self._seen(self._world.reset([seed]))[0]
        return first

    def step(self, action: int) -> tuple[NDArray[np.generic], float, bool]:
        """The next observation, the reward, and whether the episode is over."""
        step = self._world.step(np.array([action]))
        return self._seen(step.observations)[0], float(step.rewards[0]), bool(step.finished[0])

    def save(self) -> Any:
        """The whole state."""
        return self._world.save()

    def load(self, saved: Any) -> None:
        """Set everything back."""
        self._world.load(saved)

    def fingerprint(self) -> Hashable:
        """A digest of the state's bytes; a few simulators keep clocks in it, whose states then never look the same."""
        return hashlib.sha256(pickle.dumps(self._world.save())).hexdigest()
