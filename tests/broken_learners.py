"""A sound learner, and for every check of learners one that is broken in just that respect."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from sparring.attack_game import StepInfo
from sparring.testing.probing import Probing


class NoLearner:
    """No learner at all: it cannot start."""


class TakesAnything(Probing):
    def __init__(self, **options):
        pass


class StepsInParts(Probing):
    def update(self, state, world, *, rate=None, rng=None):
        state, info = super().update(state, world, rate=rate, rng=rng)
        return state, StepInfo(info.steps / 1)


class DrawsGlobally(Probing):
    def update(self, state, world, *, rate=None, rng=None):
        np.random.normal()
        return super().update(state, world, rate=rate, rng=rng)


class DrawsFromElsewhere(Probing):
    drawn = itertools.count()
    """Of the whole process; what the system itself draws might once in a hundred runs come out alike."""

    def update(self, state, world, *, rate=None, rng=None):
        return super().update(state, world, rate=rate, rng=np.random.default_rng(next(self.drawn)))


class SameFromEverySeed(Probing):
    def start(self, observation, action, seed):
        return super().start(observation, action, 0)

    def update(self, state, world, *, rate=None, rng=None):
        return super().update(state, world, rate=rate, rng=np.random.default_rng(0))


class CountsHalf(Probing):
    def update(self, state, world, *, rate=None, rng=None):
        state, info = super().update(state, world, rate=rate, rng=rng)
        return state, StepInfo(info.steps // 2)


class WritesIntoItsState(Probing):
    def update(self, state, world, *, rate=None, rng=None):
        after, info = super().update(state, world, rate=rate, rng=rng)
        state.weights[:] = after.weights + 1e-6
        return state, info


class RoundsWhatItSaves(Probing):
    def save(self, state, path):
        super().save(replace(state, weights=state.weights.astype(np.float32).astype(np.float64)), path)


class LearnsTheWrongWay(Probing):
    def _earned(self, state, world, seeds):
        total, steps = super()._earned(state, world, seeds)
        return -total, steps


class Idle(Probing):
    """Steps, and learns nothing."""

    def update(self, state, world, *, rate=None, rng=None):
        after, info = super().update(state, world, rate=rate, rng=rng)
        return replace(state, weights=state.weights + 1e-12 * (after.weights + rng.normal())), info


BROKEN_LEARNERS: list[tuple[str, type]] = [
    ("learner-is-made", NoLearner),
    ("learner-is-made", TakesAnything),
    ("learner-hands-out-policies", StepsInParts),
    ("learner-leaves-global-randomness-alone", DrawsGlobally),
    ("learner-obeys-its-seed", DrawsFromElsewhere),
    ("learner-obeys-its-seed", SameFromEverySeed),
    ("learner-counts-its-steps", CountsHalf),
    ("learner-leaves-states-alone", WritesIntoItsState),
    ("learner-saves-whole-states", RoundsWhatItSaves),
    ("learner-learns", LearnsTheWrongWay),
    ("learner-learns", Idle),
]
