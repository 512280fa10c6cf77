"""Returns of recurrent victims, whose state is carried as a region."""

from __future__ import annotations

import math

import numpy as np
import pytest

from certificate_cases import REWARDS, SEEDS, Cell, Intervals, Remembering, Said, Walk, linear, torch, vertices
from sparring.access import Ball
from sparring.certificates import certify_return


def remembered(net, world, seed, pick):
    """Return of an episode in which `pick(time, observation)` is what the victim is shown."""
    policy, seen, done, total = Remembering(net), world.reset(seed), False, 0.0
    memory, time = policy.begin(1), 0
    while not done:
        action, memory = policy.act(pick(time, seen)[None], memory, None)
        seen, reward, done = world.step(int(action[0]))
        total, time = total + reward, time + 1
    return total


@pytest.mark.parametrize("radius", [1e-4, 0.05, 0.4])
def test_a_recurrent_victim_is_certified_with_its_state_as_a_region(radius):
    net, rng, length = Cell(2, 3, 3, 3), np.random.default_rng(2), 5
    found = certify_return(Remembering(net), Walk(REWARDS, length, 0.2), Ball(), radius, SEEDS, Intervals())
    steady = np.repeat(vertices(np.zeros((1, 3)), 1.0), length, axis=1)
    ways = [np.zeros((length, 3)), *steady, *rng.choice([-1.0, 1.0], size=(150, length, 3))]
    kept = lost = 0
    for row in found.facts["seeds"]:
        world, seed = Walk(REWARDS, length, 0.2), row["seed"]
        returns = [remembered(net, world, seed, lambda time, seen, way=way: seen + radius * way[time]) for way in ways]
        assert row["nominal_return"] == pytest.approx(returns[0])
        assert row["least_return"] <= min(returns) + 1e-9
        kept += row["least_return"] == pytest.approx(returns[0])
        lost += min(returns) < returns[0] - 1e-9
    assert kept == 4 or radius > 1e-4
    assert lost > 0 or radius < 0.4


class Latch(torch.nn.Module):
    """Adds up the third number of what it was shown, and acts by the sign of the sum."""

    def __init__(self):
        super().__init__()
        self.add = linear([[0.0, 0.0, 1.0, 1.0]])
        self.head = linear([[1.0], [-1.0], [0.0]], [0.0, 0.0, -9.0])

    def forward(self, observation, state):
        after = self.add(torch.cat([observation, state], dim=1))
        return self.head(after), after


class Flash(Walk):
    """Shows a number at the first step and 0 ever after, and not the place."""

    first = 0.3

    def shown(self):
        return np.asarray([0.0, 0.0, self.first if self.time == 0 else 0.0])


@pytest.mark.parametrize("first", [0.3, -0.3])
def test_what_an_attack_left_in_the_state_adds_up(first):
    # After n steps the state is off by at most n times the radius; the sum is 0.3 without attack.
    for radius, steps in ((0.07, 4), (0.08, 3), (0.11, 2), (0.2, 1), (0.31, 0)):
        world = Flash(REWARDS, 4)
        world.first = first
        found = certify_return(Remembering(Latch(), width=1), world, Ball(), radius, (0,), Intervals())
        assert found.facts["seeds"][0]["certified"] == steps


class Doubtful(torch.nn.Module):
    """As `Latch`, but going on is nearly as good as going back, by the first number that is shown."""

    def __init__(self):
        super().__init__()
        self.add = linear([[0.0, 0.0, 1.0, 1.0, 0.0], [1.0, 0.0, 0.0, 0.0, 0.0]])
        self.head = linear([[10.0, 0.0], [-10.0, 0.0], [10.0, 1.0]], [0.0, 0.0, -0.05])

    def forward(self, observation, state):
        after = self.add(torch.cat([observation, state], dim=1))
        return self.head(after), after


class Late(Flash):
    """Shows its number at the third step."""

    def shown(self):
        return np.asarray([0.0, 0.0, self.first if self.time == 2 else 0.0])


def test_a_branch_goes_on_with_the_state_after_its_first_step():
    world = Late(REWARDS, 3)
    world.reset(0)
    rewards = tuple(-1.0 if place == (world.place + 2) % 5 else 0.0 for place in range(5))
    # On, on, stay costs most. Staying at the end takes changes at all three steps, the two of the branches included.
    for radius, least in ((0.11, -2.0), (0.09, -1.0)):
        found = certify_return(Remembering(Doubtful(), width=2), Late(rewards, 3), Ball(), radius, (0,), Intervals())
        assert found.least_return == least


def test_a_recurrent_state_without_bounds_is_unknown():
    unbounded = Said(lambda low, high: (low - math.inf, high))
    found = certify_return(Remembering(Cell(4, 3, 3, 3)), Walk(REWARDS, 6), Ball(), 1e-4, (0,), unbounded)
    assert found.least_return is None
    assert "no finite bound of the recurrent state" in found.facts["unknown"]
