"""The least return of seeded rollouts, against all action sequences that remain possible."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from certificate_cases import (
    REWARDS,
    SEEDS,
    Continuous,
    Greedy,
    Intervals,
    OnlyNetwork,
    OtherWise,
    Walk,
    greedy,
    inside,
    least_by_trying,
    linear,
    network,
    torch,
    vertices,
)
from sparring.access import Ball
from sparring.certificates import SearchLimits, certify_actions, certify_return, greedy_module, observation_region
from sparring.errors import RefusedError, RequestError
from sparring.policy import Ability


def walker(seed=3, sizes=(3, 3)):
    """A victim that moves by where it is; linear unless `sizes` says otherwise."""
    return network(seed, list(sizes))


def possible_by(net, radius):
    """Which actions the backend of these tests calls possible, for the plain recursion."""

    def choices(observation):
        region = observation_region(Ball(), radius, observation[None], net)
        return np.flatnonzero(certify_actions(net, region, Intervals()).possible[0])

    return choices


def shown_by(net, radius, rng):
    """Which actions some shown observation brings about: what an attacker can really do."""

    def choices(observation):
        one = observation[None]
        points = np.concatenate([one, *vertices(one, radius), *inside(one, radius, "inf", rng, 30)])
        return np.unique(greedy(net, points))

    return choices


def certified(net, world, radius, seeds=SEEDS, method=None, **limits):
    backend = Intervals() if method is None else method
    return certify_return(Greedy(net), world, Ball(), radius, seeds, backend, limits=SearchLimits(**limits))


@pytest.mark.parametrize("merges", [True, False])
@pytest.mark.parametrize("sticky", [0.0, 0.3])
@pytest.mark.parametrize("gamma", [1.0, 0.9])
@pytest.mark.parametrize("radius", [0.05, 0.25])
def test_a_finished_search_finds_the_least_return_of_all_possible_actions(merges, sticky, gamma, radius):
    branched = 0
    for victim in (3, 5):
        net, world = walker(victim), Walk(REWARDS, 6, sticky, merges)
        found = certified(net, world, radius, gamma=gamma)
        assert found.over == SEEDS
        for row in found.facts["seeds"]:
            least = least_by_trying(Walk(REWARDS, 6, sticky), row["seed"], possible_by(net, radius), gamma)
            assert row["least_return"] == pytest.approx(least, abs=1e-12)
            assert row["left_open"] == 0
            shown = shown_by(net, radius, np.random.default_rng(1))
            attacked = least_by_trying(Walk(REWARDS, 6, sticky), row["seed"], shown, gamma)
            assert row["least_return"] <= attacked + 1e-12
            branched += row["certified"] < row["rollout"]
        mean = np.mean([row["least_return"] for row in found.facts["seeds"]])
        assert found.least_return == pytest.approx(mean)
        assert found.facts["least_of_any"] == min(row["least_return"] for row in found.facts["seeds"])
    assert branched or radius < 0.1


@pytest.mark.parametrize("segment", [1, 2])
def test_a_branch_that_is_followed_in_pieces_is_followed_to_its_end(segment):
    for victim in range(4):
        net = walker(victim)
        found = certified(net, Walk(REWARDS, 5, 0.1, merges=False), 0.25, segment=segment)
        for row in found.facts["seeds"]:
            least = least_by_trying(Walk(REWARDS, 5, 0.1), row["seed"], possible_by(net, 0.25))
            assert row["least_return"] == pytest.approx(least, abs=1e-12)


class Hidden(Walk):
    """Shows nothing, and its state knows no time: only the fingerprint tells the places apart."""

    def shown(self):
        return np.zeros(3)

    def save(self):
        return self.place, 0, 1, None

    def load(self, saved):
        self.place = saved[0]


@pytest.mark.parametrize("gamma", [1.0, 0.5])
def test_states_are_merged_at_the_same_step_only_and_by_their_fingerprint(gamma):
    rewards = (0.0, 1.0, -1.0, 5.0, -4.0, 2.0)
    equal = linear(np.zeros((3, 3)))  # every action is possible everywhere
    for seed in range(4):
        found = certified(equal, Hidden(rewards, 10**6), 0.1, seeds=(seed,), gamma=gamma, horizon=6)
        least = least_by_trying(Hidden(rewards, 10**6), seed, lambda seen: (0, 1, 2), gamma, horizon=6)
        assert found.least_return == pytest.approx(least)
        assert found.facts["seeds"][0]["steps"] < 3**6


def test_where_every_action_is_certified_the_return_is_and_one_call_bounds_the_rollout():
    net, world, backend = walker(), Walk(REWARDS, 12, 0.25), Intervals()
    found = certified(net, world, 1e-4, seeds=(5,), method=backend)
    (row,) = found.facts["seeds"]
    assert (row["certified"], row["rollout"], found.facts["action_certification_rate"]) == (12, 12, 1.0)
    assert found.least_return == row["nominal_return"] == pytest.approx(least_by_trying(
        Walk(REWARDS, 12, 0.25), 5, lambda seen: greedy(net, seen[None])))  # fmt: skip
    assert backend.calls == [12]
    assert row["steps"] == world.taken == 24  # played twice
    json.dumps(found.facts, allow_nan=False)


@pytest.mark.parametrize("merges", [True, False])
def test_whenever_it_is_stopped_the_bound_holds_and_more_steps_never_loosen_it(merges):
    net, radius = walker(5), 0.3
    exact = {seed: least_by_trying(Walk(REWARDS, 7, 0.2), seed, possible_by(net, radius)) for seed in (0, 1)}
    closed = False
    bounds = dict.fromkeys(exact, -math.inf)
    for steps in (2, 5, 14, 16, 30, 60, 200, 3000):
        found = certified(net, Walk(REWARDS, 7, 0.2, merges), radius, seeds=(0, 1), steps=steps,
                          least_reward=min(REWARDS), horizon=7, segment=3)  # fmt: skip
        for row in found.facts["seeds"]:
            assert row["steps"] <= steps
            assert row["least_return"] <= exact[row["seed"]] + 1e-12
            if steps >= 14:
                assert row["nominal_return"] >= row["least_found"] - 1e-12 >= exact[row["seed"]] - 2e-12
                assert row["least_return"] >= bounds[row["seed"]] - 1e-12
                bounds[row["seed"]] = row["least_return"]
            closed |= row["left_open"] == 0
            assert (row["left_open"] == 0) == (row["least_return"] == row["least_found"])
    assert closed
    assert bounds == pytest.approx(exact)


def test_without_a_known_least_reward_open_branches_leave_nothing_proved():
    net = walker(5)
    short = certified(net, Walk(REWARDS, 7), 0.3, seeds=(0, 1), steps=16)
    assert short.least_return is None
    assert short.facts["least_of_any"] is None
    row = short.facts["seeds"][0]
    assert row["left_open"] > 0
    assert row["least_return"] is None
    assert row["least_found"] is not None
    assert row["unknown"] is None
    enough = certified(net, Walk(REWARDS, 7), 0.3, seeds=(0, 1))
    assert enough.least_return is not None
    mixed = certified(walker(4), Walk(REWARDS, 6), 0.05, steps=12)
    known = [row["least_return"] is not None for row in mixed.facts["seeds"]]
    assert set(known) == {True, False}  # one unknown seed is enough to leave the average unknown
    assert (mixed.least_return, mixed.facts["least_of_any"]) == (None, None)
    assert certified(net, Walk(REWARDS, 40), 0.3, seeds=(0,), steps=3).facts["seeds"][0]["nominal_return"] is None


def test_merging_saves_steps_and_changes_nothing():
    net = walker(5)
    merged, plain = (certified(net, Walk(REWARDS, 9, merges=merges), 0.4, seeds=(0, 1)) for merges in (True, False))
    assert merged.least_return == pytest.approx(plain.least_return, abs=1e-12)
    taken = [sum(row["steps"] for row in found.facts["seeds"]) for found in (merged, plain)]
    assert taken[0] < taken[1] / 3
    assert sum(row["merged"] for row in merged.facts["seeds"]) > 0 == sum(row["merged"] for row in plain.facts["seeds"])


def test_a_known_least_reward_lets_the_best_bound_first_search_stop_early():
    net = walker(5)
    plain = certified(net, Walk(REWARDS, 8, merges=False), 0.4, seeds=(0, 1))
    led = certified(net, Walk(REWARDS, 8, merges=False), 0.4, seeds=(0, 1), least_reward=min(REWARDS), horizon=8)
    assert led.least_return == pytest.approx(plain.least_return, abs=1e-12)
    assert sum(row["steps"] for row in led.facts["seeds"]) < sum(row["steps"] for row in plain.facts["seeds"])


@pytest.mark.parametrize("gamma", [1.0, 0.8])
def test_a_horizon_cuts_episodes_off(gamma):
    net = walker(5)
    found = certified(net, Walk(REWARDS, 9, 0.2), 0.3, horizon=4, gamma=gamma)
    for row in found.facts["seeds"]:
        least = least_by_trying(Walk(REWARDS, 9, 0.2), row["seed"], possible_by(net, 0.3), gamma, horizon=4)
        assert row["least_return"] == pytest.approx(least, abs=1e-12)
        assert row["rollout"] == 4


@pytest.mark.parametrize(
    ("limits", "depth", "wanted"),
    [
        ({}, 3, -math.inf),
        ({"least_reward": -2.0}, 3, -math.inf),
        ({"least_reward": -2.0, "horizon": 5}, 3, -4.0),
        ({"least_reward": -2.0, "gamma": 0.5}, 1, -2.0),
        ({"least_reward": -2.0, "gamma": 0.5, "horizon": 3}, 1, -1.5),
        ({"least_reward": 2.0, "gamma": 0.5, "horizon": 9}, 1, 1.0),
        ({"least_reward": 0.0}, 3, 0.0),
    ],
)
def test_the_least_return_to_go(limits, depth, wanted):
    assert SearchLimits(**limits).to_go(depth) == wanted


@pytest.mark.parametrize(
    "wrong", [{"steps": 1}, {"segment": 0}, {"horizon": 0}, {"gamma": 0.0}, {"gamma": 1.1}, {"least_reward": math.nan}]
)
def test_limits_out_of_range_are_refused(wrong):
    with pytest.raises(RequestError, match=f"search: {next(iter(wrong))}"):
        SearchLimits(**wrong)


class Nowhere:
    """A world that must not be entered."""

    def __getattr__(self, name):
        raise AssertionError(f"{name} was asked of the simulator")


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (Greedy(walker(), frozenset({Ability.MODULE})), "does not declare that it always acts the same"),
        (Greedy(walker(), frozenset({Ability.DETERMINISTIC})), "declares no network"),
        (Greedy(walker(), frozenset({*Ability})), "is recurrent and does not offer its state"),
    ],
)
def test_a_policy_of_another_kind_is_unknown(policy, reason):
    found = certify_return(policy, Nowhere(), Ball(), 1e-4, SEEDS, Intervals())
    assert (found.least_return, found.over) == (None, SEEDS)
    assert reason in found.facts["unknown"]
    with pytest.raises(RefusedError):
        greedy_module(policy)


@pytest.mark.parametrize(
    ("policy", "world", "reason"),
    [
        (OtherWise(walker()), Walk(REWARDS, 6), "where its network's greatest output is another"),
        (Continuous(walker()), Walk(REWARDS, 6), "returns are certified for discrete ones"),
        (Greedy(walker()), Walk(REWARDS, 30, 0.5, forgets_chance=True), "does not repeat itself"),
        (Greedy(torch.nn.Sequential(walker(), torch.nn.Hardswish())), Walk(REWARDS, 6), "no rule for Hardswish"),
    ],
)
def test_what_does_not_fit_is_unknown_and_never_safe(policy, world, reason):
    found = certify_return(policy, world, Ball(), 1e-4, SEEDS, Intervals())
    assert found.least_return is None
    assert found.facts["least_of_any"] is None
    assert reason in found.facts["unknown"]
    assert {row["least_return"] for row in found.facts["seeds"]} == {None}
    json.dumps(found.facts, allow_nan=False)


class Second(Greedy):
    """Takes action 1, whatever its network says."""

    def act(self, observation, memory, rng):
        return np.ones(len(observation), dtype=np.int64), memory


def test_actions_are_held_against_the_network_even_where_bounds_leave_them_open():
    loose = certify_return(OtherWise(walker(5)), Walk(REWARDS, 6), Ball(), 9.0, SEEDS, Intervals())
    assert loose.least_return is None
    close = linear(np.zeros((3, 3)), [1.0, 0.9999, 0.0])  # near enough to be called equal, and provably not equal
    assert certify_return(Second(close), Walk(REWARDS, 6), Ball(), 0.1, SEEDS, Intervals()).least_return is None
    equal = linear(np.zeros((3, 3)), [1.0, 1.0, 0.0])
    assert certify_return(Second(equal), Walk(REWARDS, 6), Ball(), 0.1, SEEDS, Intervals()).least_return is not None


def test_a_network_that_cannot_act_is_taken_to_be_greedy():
    net = walker(5)
    asked = (Walk(REWARDS, 6, 0.2), Ball(), 0.2, SEEDS, Intervals())
    own, plain = (certify_return(policy, *asked) for policy in (Greedy(net), OnlyNetwork(net)))
    assert own.facts["seeds"] == plain.facts["seeds"]


def test_weights_that_are_not_numbers_certify_nothing():
    net = walker(5)
    with torch.no_grad():
        net[0].weight[1, 1] = math.nan
    found = certified(net, Walk(REWARDS, 5), 0.1, seeds=(0,))
    exact = least_by_trying(Walk(REWARDS, 5), 0, lambda seen: (0, 1, 2))
    assert found.facts["action_certification_rate"] == 0.0
    assert found.least_return == pytest.approx(exact)  # whatever is done


def test_wrong_requests_are_one_line():
    with pytest.raises(RequestError, match="each once"):
        certified(walker(), Walk(REWARDS, 5), 0.1, seeds=(1, 1))
    with pytest.raises(RequestError, match="each once"):
        certified(walker(), Walk(REWARDS, 5), 0.1, seeds=())
    with pytest.raises(RequestError, match=r"least_reward is 0.5, but the simulator gives a reward of -?0"):
        certified(walker(), Walk(REWARDS, 50), 0.5, least_reward=0.5)
    with pytest.raises(ArithmeticError, match="the reward nan"):
        certified(walker(), Walk((math.nan,) * 5, 5), 0.1)
