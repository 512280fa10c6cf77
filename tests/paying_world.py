"""A world whose action values are known: states are drawn anew at every step, and actions are paid for at once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparring.simulated import Box, SimulatedGame, Step
from sparring.streams import stream

PRICE = np.array([1.0, -0.5])
"""Paid for each unit of the two actions: whoever lowers the first and raises the second hurts."""
LENGTH = 6


class PayingWorld:
    def __init__(self, size, ended):
        self.size, self.ended = size, ended
        self.stepped = 0

    @property
    def observations(self):
        return self.at

    def reset(self, seeds):
        self._streams = [stream(seed, "paying") for seed in seeds]
        self.at = np.array([each.normal(size=2) for each in self._streams])
        self.left = np.full(len(seeds), LENGTH)
        return self.at

    def restart(self, where, seeds):
        self.at, self.left = self.at.copy(), np.where(where, LENGTH, self.left)
        for place, seed in zip(np.flatnonzero(where), seeds, strict=True):
            self._streams[place] = stream(seed, "paying")
            self.at[place] = self._streams[place].normal(size=2)
        return self.at

    def step(self, actions, active=None):
        moves = self.left > 0
        paid = np.where(moves, np.asarray(actions, dtype=np.float64) @ PRICE + 1.0, 0.0)
        drawn = np.array(
            [each.normal(size=2) if go else at for each, go, at in zip(self._streams, moves, self.at, strict=True)]
        )
        self.at, self.left = drawn, self.left - moves
        self.stepped += int(moves.sum())
        over = self.left == 0
        return Step(self.at, paid, over & self.ended, over & (not self.ended))

    def close(self):
        pass


@dataclass(frozen=True, eq=False)
class PayingGame(SimulatedGame):
    spec: str = "paying"
    observation: Any = field(default_factory=lambda: Box(np.full(2, -np.inf), np.full(2, np.inf)))
    action: Any = field(default_factory=lambda: Box(-np.ones(2), np.ones(2)))
    time_limit: int | None = LENGTH
    least: float | None = None
    ended: bool = True
    """Whether episodes come to their own end, or are cut."""
    worlds: list = field(default_factory=list)

    def world(self, size, workers=0):
        self.worlds.append(PayingWorld(size, self.ended))
        return self.worlds[-1]
