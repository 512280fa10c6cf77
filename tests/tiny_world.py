"""A world of numpy alone: two numbers that drift where the victim pushes them, in episodes of different lengths."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated import Box, SimulatedGame, Step
from sparring.streams import stream

PUSH, JITTER, SHORTEST, LONGEST = 0.25, 0.05, 4, 11
MEAN, DEVIATION = np.array([0.5, -1.0]), np.array([2.0, 0.25])


class TinyWorld:
    """The reward is the first number: whoever pushes it down hurts. Actions are not clipped, as robots do not."""

    def __init__(self, size):
        self.size = size
        self.sent = []

    @property
    def observations(self):
        return self.at

    def reset(self, seeds):
        self._streams = [stream(seed, "tiny") for seed in seeds]
        self.at = np.array([each.normal(size=2) for each in self._streams])
        self.left = np.array([int(each.integers(SHORTEST, LONGEST)) for each in self._streams])
        return self.at

    def restart(self, where, seeds):
        self.at, self.left = self.at.copy(), self.left.copy()
        for place, seed in zip(np.flatnonzero(where), seeds, strict=True):
            self._streams[place] = stream(seed, "tiny")
            self.at[place] = self._streams[place].normal(size=2)
            self.left[place] = int(self._streams[place].integers(SHORTEST, LONGEST))
        return self.at

    def step(self, actions, active=None):
        moves = self.left > 0
        self.sent.append(np.array(actions))
        jitter = np.array(
            [each.normal(size=2) if go else np.zeros(2) for each, go in zip(self._streams, moves, strict=True)]
        )
        self.at = np.where(
            moves[:, None], self.at + PUSH * np.asarray(actions, dtype=np.float64) + JITTER * jitter, self.at
        )
        self.left = self.left - moves
        ended = self.left == 0
        return Step(self.at, np.where(moves, self.at[:, 0], 0.0), ended, np.zeros_like(ended))

    def save(self):
        import copy

        return copy.deepcopy((self._streams, self.at, self.left))

    def load(self, saved):
        import copy

        self._streams, self.at, self.left = copy.deepcopy(saved)

    def close(self):
        self.at = None


@dataclass(frozen=True, eq=False)
class TinyGame(SimulatedGame):
    spec: str = "tiny"
    observation: Any = field(default_factory=lambda: Box(np.full(2, -np.inf), np.full(2, np.inf)))
    action: Any = field(default_factory=lambda: Box(-np.ones(2), np.ones(2)))
    time_limit: int | None = LONGEST
    least: float | None = None

    def world(self, size, workers=0):
        return TinyWorld(size)


@dataclass(frozen=True, eq=False)
class Tracker(Policy):
    """Acts on what it sees and on a running mean of what it has seen; keeps all that it was shown, for the tests."""

    gain: float = 1.0
    weight: float = 0.0
    """Of the running mean."""
    noise: float = 0.0
    normalises: bool = True
    shown: list = field(default_factory=list)

    @property
    def form(self):
        return Form.SIMULATED

    @property
    def abilities(self):
        found = {Ability.DIFFERENTIABLE} | ({Ability.RECURRENT} if self.weight else set())
        return frozenset(found if self.noise else found | {Ability.DETERMINISTIC})

    def begin(self, batch):
        return np.zeros((batch, 2)) if self.weight else None

    def renew(self, memory, where):
        return None if memory is None else np.where(where[:, None], 0.0, memory)

    def normalised(self, observation):
        return (observation - MEAN) / DEVIATION if self.normalises else np.asarray(observation)

    def inner(self):
        return Tracker(self.gain, self.weight, self.noise, False, self.shown)

    def act(self, observation, memory, rng):
        seen = self.normalised(observation)
        self.shown.append(np.array(seen))
        memory = None if memory is None else 0.5 * memory + 0.5 * seen
        acted = np.tanh(-self.gain * seen + (0.0 if memory is None else self.weight * memory))
        if self.noise:
            acted = acted + self.noise * rng.standard_normal(acted.shape)
        return acted, memory

    def outputs(self, observation, memory):
        import torch

        seen = (observation - torch.tensor(MEAN)) / torch.tensor(DEVIATION) if self.normalises else observation
        kept = 0.0 if memory is None else self.weight * (0.5 * torch.tensor(memory) + 0.5 * seen)
        return torch.tanh(-self.gain * seen + kept)

    def to_document(self):
        return {"kind": "tracker", **{name: getattr(self, name) for name in ("gain", "weight", "noise", "normalises")}}


@dataclass(frozen=True, eq=False)
class Constant(Policy):
    """An attacker that proposes one thing, whatever it sees; keeps what it saw."""

    proposal: Any
    seen: list = field(default_factory=list)

    @property
    def form(self):
        return Form.SIMULATED

    @property
    def abilities(self):
        return frozenset()

    def begin(self, batch):
        return None

    def act(self, observation, memory, rng):
        self.seen.append(np.array(observation))
        return np.tile(np.asarray(self.proposal, dtype=np.float64), (len(observation), 1)), memory

    def to_document(self):
        return {"kind": "constant"}


@dataclass(frozen=True, eq=False)
class Ratchet(Constant):
    """A recurrent attacker: it proposes more of the same with every step of an episode."""

    def begin(self, batch):
        return np.zeros(batch)

    def renew(self, memory, where):
        return np.where(where, 0.0, memory)

    def act(self, observation, memory, rng):
        return memory[:, None] * np.asarray(self.proposal) / LONGEST, memory + 1
