"""The meter of a batch of episodes: it hands each channel its part of the proposals, its coins and its count."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.channels import ActionChannel, Channel, ObservationChannel

__all__ = ["Meter"]

Array = NDArray[np.generic]
Floats = NDArray[np.float64]


class Meter:
    """Charges the proposals of a batch of episodes."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        """Charge these, in the order of the proposal; those of budget 0 change nothing."""
        self.channels = tuple(channels)
        ends = np.cumsum([0, *(channel.width for channel in self.channels)])
        self._slices = [slice(low, high) for low, high in itertools.pairwise(ends.tolist())]
        self.used = np.zeros((0, len(self.channels)), dtype=np.int64)
        """Steps of each episode on which each channel has been used, [batch, channels]."""
        self._coins: list[EpisodeStreams] = []

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin one episode for each seed."""
        self.used = np.zeros((len(seeds), len(self.channels)), dtype=np.int64)
        self._coins = [EpisodeStreams(seeds, f"coin {place}") for place in range(len(self.channels))]

    def renew(self, where: NDArray[np.bool_], seeds: Sequence[int]) -> None:
        """Begin new episodes in the marked places."""
        self.used = np.where(where[:, None], 0, self.used)
        for coins in self._coins:
            coins.renew(where, seeds)

    def save(self) -> dict[str, Any]:
        """Counts and coins."""
        return copy.deepcopy({"used": self.used, "coins": self._coins})

    def load(self, saved: dict[str, Any]) -> None:
        """Go back to saved counts and coins of the same channels."""
        kept = copy.deepcopy(saved)
        self.used, self._coins = kept["used"], kept["coins"]

    def shown(self, seen: Array, proposals: Floats) -> Array:
        """What the victim sees, [batch, *observation]."""
        return self._through(ObservationChannel, seen, proposals)

    def sent(self, actions: Array, proposals: Floats) -> Array:
        """What the world is sent, [batch, *action]."""
        return self._through(ActionChannel, actions, proposals)

    def _through(self, kind: type[Channel], target: Array, proposals: Floats) -> Array:
        for place, channel in enumerate(self.channels):
            if not isinstance(channel, kind):
                continue
            coin = self._coins[place].random(len(target))
            if channel.part.budget.zero:
                continue
            target, changed = channel.apply(target, proposals[:, self._slices[place]], coin, self.used[:, place])
            self.used = self.used.copy()
            self.used[:, place] += changed
        return target
