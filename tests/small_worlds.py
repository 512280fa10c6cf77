"""Worlds of a few lines, in numpy alone, whose best returns are known."""

from __future__ import annotations

import copy

import numpy as np

from sparring.simulated import Box, Discrete, Step


class SmallWorld:
    """Keeps the episodes; a subclass says how one begins, what it shows and what a step does."""

    observation = Box(np.full(1, -1.0), np.full(1, 1.0))
    action = Box(np.full(1, -2.0), np.full(1, 2.0))

    def __init__(self, size):
        self.size = size
        self.hidden = []

    @property
    def observations(self):
        return np.array([self.show(hidden) for hidden in self.hidden])

    def reset(self, seeds):
        self.hidden = [self.begin(np.random.default_rng(seed)) for seed in seeds]
        self.over = np.zeros(len(seeds), dtype=np.bool_)
        return self.observations

    def restart(self, where, seeds):
        assert where[~self.over].sum() == 0, "only finished episodes are begun anew"
        for place, seed in zip(np.flatnonzero(where), seeds, strict=True):
            self.hidden[place] = self.begin(np.random.default_rng(seed))
        self.over = self.over & ~where
        return self.observations

    def step(self, actions, active=None):
        assert active is None
        assert not self.over.any(), "a finished episode was stepped"
        told = [self.move(hidden, action) for hidden, action in zip(self.hidden, actions, strict=True)]
        rewards, ended, cut = (np.array(each) for each in zip(*told, strict=True))
        self.over = ended | cut
        return Step(self.observations, rewards.astype(np.float64), ended, cut)

    def save(self):
        return copy.deepcopy((self.hidden, self.over))

    def load(self, saved):
        self.hidden, self.over = copy.deepcopy(saved)

    def close(self):
        pass


class Target(SmallWorld):
    """One step: meet the number that is shown; the best return is 0."""

    def begin(self, rng):
        return {"aim": rng.uniform(-1, 1)}

    def show(self, hidden):
        return np.array([hidden["aim"]])

    def move(self, hidden, action):
        return -((action[0] - hidden["aim"]) ** 2), True, False


class Bandit(SmallWorld):
    """Two steps, in each of which the sign that is shown says which of three choices pays 1; the best return is 2."""

    action = Discrete(3)

    def begin(self, rng):
        return {"signs": rng.integers(0, 3, 2) - 1, "step": 0}

    def show(self, hidden):
        return np.array([hidden["signs"][min(hidden["step"], 1)]], dtype=np.float64)

    def move(self, hidden, action):
        paid = float(action == hidden["signs"][hidden["step"]] + 1)
        hidden["step"] += 1
        return paid, hidden["step"] == 2, False


class Recall(SmallWorld):
    """A sign is shown once; three steps later it is to be named. Without memory the best return is 0, with it 1."""

    action = Discrete(2)

    def begin(self, rng):
        return {"sign": int(rng.integers(2)), "step": 0}

    def show(self, hidden):
        return np.array([2.0 * hidden["sign"] - 1 if hidden["step"] == 0 else 0.0])

    def move(self, hidden, action):
        hidden["step"] += 1
        if hidden["step"] < 4:
            return 0.0, False, False
        return (1.0 if action == hidden["sign"] else -1.0), True, False


class Steady(SmallWorld):
    """Pays 1 a step for five steps; `ended` says whether they end by themselves or are cut."""

    def __init__(self, size, ended):
        super().__init__(size)
        self.ended = ended

    def begin(self, rng):
        return {"step": 0, "level": rng.uniform(-1, 1)}

    def show(self, hidden):
        return np.array([hidden["level"] / (1 + hidden["step"])])

    def move(self, hidden, action):
        hidden["step"] += 1
        last = hidden["step"] == 5
        return 1.0, last and self.ended, last and not self.ended
