"""The meter of a batch of episodes: it hands each channel its part of the proposals, its coins and its count."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.channel import Channel
from sparring.simulated.channels import ActionChannel, ObservationChannel
from sparring.simulated.dynamics import DynamicsChannel
from sparring.simulated.knobs import Knob, Tunable
from sparring.simulated.world import Step, World

__all__ = ["Meter"]

Array = NDArray[np.generic]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


class Meter:
    """Charges the proposals of a batch of episodes."""

    def __init__(self, channels: Sequence[Channel]) -> None:
        """Charge these, in the order of the proposal; those of budget 0 change nothing."""
        self.channels = tuple(channels)
        ends = np.cumsum([0, *(channel.width for channel in self.channels)])
        self._slices = [slice(low, high) for low, high in itertools.pairwise(ends.tolist())]
        self.used = np.zeros((0, len(self.channels)), dtype=np.int64)
        """Steps of each episode on which each channel that counts has been used, [batch, channels]."""
        self._open = [(place, each) for place, each in enumerate(self.channels) if not each.part.budget.zero]
        self._coins: list[EpisodeStreams] = []
        self.deployed: dict[str, Array] = {}
        """What has last been made of proposals: what was seen and sent, by threat, and values by knob, [batch, ...]."""

    def begin(self, seeds: Sequence[int]) -> None:
        """Begin one episode for each seed."""
        self.used = np.zeros((len(seeds), len(self.channels)), dtype=np.int64)
        self.deployed = {}
        self._coins = [EpisodeStreams(seeds, f"coin {place}") for place in range(len(self.channels))]

    def renew(self, where: Flags, seeds: Sequence[int]) -> None:
        """Begin new episodes in the marked places."""
        self.used = np.where(where[:, None], 0, self.used)
        for coins in self._coins:
            coins.renew(where, seeds)

    def save(self) -> dict[str, Any]:
        """Counts, coins, and what is deployed."""
        return copy.deepcopy({"used": self.used, "coins": self._coins, "deployed": self.deployed})

    def load(self, saved: dict[str, Any]) -> None:
        """Go back to what was saved of the same channels."""
        kept = copy.deepcopy(saved)
        self.used, self._coins, self.deployed = kept["used"], kept["coins"], kept["deployed"]

    def shown(self, seen: Array, proposals: Floats) -> Array:
        """What the victim sees, [batch, *observation]."""
        return self._through(ObservationChannel, seen, proposals)

    def sent(self, actions: Array, proposals: Floats) -> Array:
        """What the world is sent, [batch, *action]."""
        return self._through(ActionChannel, actions, proposals)

    def step(self, world: World, actions: Array, proposals: Floats, active: Flags | None = None) -> Step:
        """Move a world, its `active` episodes [batch] alone, whose knobs are turned and that is sent what is left."""
        for place, channel in self._open:
            if isinstance(channel, DynamicsChannel):
                due = channel.due(self.used[:, place])
                values = self._charged(place, np.zeros((len(actions), channel.width)), proposals)
                assert isinstance(world, Tunable)  # its game has knobs
                world.turn(channel.knobs, values, due if active is None else due & active)
                self._note(channel.knobs, values, due)
        return world.step(self.sent(actions, proposals), active)

    def _through(self, kind: type[Channel], target: Array, proposals: Floats) -> Array:
        for place, channel in self._open:
            if isinstance(channel, kind):
                target = self._charged(place, target, proposals)
                self.deployed[channel.part.threat] = target
        return target

    def _charged(self, place: int, target: Array, proposals: Floats) -> Array:
        """What a channel makes of its part of the proposals."""
        channel, used = self.channels[place], self.used[:, place]
        coin = self._coins[place].random(len(target)) if channel.tosses else np.zeros(len(target))
        made = channel.apply(target, proposals[:, self._slices[place]], coin, used)
        if channel.counts:
            self.used[:, place] += channel.spent(target, made, used)
        return made

    def _note(self, knobs: Sequence[Knob], values: Array, due: Flags) -> None:
        """Keep what knobs are turned to; those that are held stay as they were where nothing was due."""
        ends = np.cumsum([knob.width for knob in knobs])[:-1]
        for knob, part in zip(knobs, np.split(values, ends, axis=1), strict=True):
            before = self.deployed.get(knob.name, np.zeros_like(part))
            self.deployed[knob.name] = np.where(due[:, None], part, before)
