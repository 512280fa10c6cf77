"""Certified greedy actions and radii against brute force: nothing that is found may contradict what is proved."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificate_cases import Intervals, Said, ball_region, climbed, greedy, inside, linear, network, torch, vertices
from sparring.access import Ball
from sparring.certificates import certified_radius, certify_actions, certify_rollout, output_range
from sparring.errors import RefusedError, RequestError

NORMS = ("inf", "2", "1")


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), actions=st.integers(2, 5), radius=st.floats(0.0, 1.0))
def test_on_a_linear_network_the_certificate_is_the_truth(seed, actions, radius):
    rng = np.random.default_rng(seed)
    net = linear(rng.normal(size=(actions, 3)), rng.normal(size=actions), torch.float64)
    center = rng.normal(size=(8, 3))
    found = certify_actions(net, ball_region(net, center, radius), Intervals())
    corners = vertices(center, radius)
    with torch.no_grad():
        values = net(torch.as_tensor(corners)).numpy()
    # A linear function is greatest over a box in a corner, so pairs of actions are decided there.
    ahead = values[..., :, None] - values[..., None, :]
    beaten = ((ahead > 0).all(axis=0) & ~np.eye(actions, dtype=bool)).any(axis=1)
    clear = (np.abs(ahead).min(axis=0) > 1e-4) | np.eye(actions, dtype=bool)
    rows = clear.all(axis=(1, 2))
    stays = (values.argmax(-1) == found.nominal).all(axis=0)
    assert (found.certified[rows] == stays[rows]).all()
    assert (found.possible[rows] == ~beaten[rows]).all()
    assert (found.lead[rows] < 0).tolist() == stays[rows].tolist()


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_nothing_that_is_found_contradicts_a_certified_action(norm, dtype):
    rng = np.random.default_rng(11)
    certified = impossible = flips = 0
    for seed in range(3):
        net = network(seed, [4, 12, 12, 4], dtype)
        center = rng.normal(size=(25, 4))
        for radius in (0.05, 0.3):
            found = certify_actions(net, ball_region(net, center, radius, norm), Intervals())
            points = [*inside(center, radius, norm, rng, 80)]
            points += [climbed(net, center, radius, norm, row) for row in 2 * torch.eye(4).double() - 0.5]
            seen = np.zeros((25, 4), dtype=bool)
            for point in points:
                seen[np.arange(25), greedy(net, point)] = True
            assert not (seen & ~found.possible).any()
            assert not (found.certified & (seen.sum(axis=1) > 1)).any()
            assert (found.possible.sum(axis=1)[found.certified] == 1).all()
            assert found.possible[np.arange(25), found.nominal].all()
            certified, flips = certified + int(found.certified.sum()), flips + int((seen.sum(axis=1) > 1).sum())
            impossible += int((~found.possible & ~found.certified[:, None]).sum())
    assert min(certified, impossible, flips) > 10  # there was something to contradict


def test_equal_values_are_never_certified_and_a_point_with_a_clear_lead_is():
    equal = linear([[1.0, 0.0], [1.0, 0.0], [-5.0, 0.0]])
    found = certify_actions(equal, ball_region(equal, np.asarray([[1.0, 0.0]]), 0.0), Intervals())
    assert found.certified.tolist() == [False]
    assert found.possible.tolist() == [[True, True, False]]
    # Bounds may not be what saves it: even a backend that calls equal values apart certifies nothing.
    confident = certify_actions(
        equal, ball_region(equal, np.asarray([[1.0, 0.0]]), 0.0), Said(lambda low, high: (low - 1e-5, high - 1e-5))
    )
    assert confident.certified.tolist() == [False]
    assert confident.possible[0, 0]  # whatever bounds say of it, the nominal action is possible
    clear = linear([[1.0, 0.0], [0.5, 0.0]])
    found = certify_actions(clear, ball_region(clear, np.asarray([[1.0, 0.0]]), 0.0), Intervals())
    assert found.certified.tolist() == [True]
    assert found.rate == 1.0


def test_what_is_not_a_number_is_never_certified():
    broken = linear([[1.0, 0.0], [np.nan, 0.0]])
    center = np.asarray([[5.0, 0.0]])
    sure = Said(lambda low, high: (torch.full_like(low, -9), torch.full_like(high, -8)))
    found = certify_actions(broken, ball_region(broken, center, 0.1), sure)
    assert (found.certified.tolist(), found.possible.tolist()) == ([False], [[True, True]])
    assert certified_radius(broken, center, Ball(), Intervals(), greatest=1.0, tolerance=0.1).radius.tolist() == [0.0]
    wide = Said(lambda low, high: (torch.full_like(low, -9), torch.full_like(high, 9)))
    assert np.isinf(output_range(broken, ball_region(broken, center, 0.1), wide).distance("inf")).all()
    net = linear([[1.0, 0.0], [0.0, 0.0]])
    spoilt = {
        "NaN": lambda low, high: (low * math.nan, high * math.nan),
        "NaN above": lambda low, high: (low, high * math.nan),
        "infinite": lambda low, high: (low - math.inf, high),
        "inverted": lambda low, high: (low + 1, low - 1),
    }
    for spoil in spoilt.values():
        found = certify_actions(net, ball_region(net, center, 0.1), Said(spoil))
        assert (found.certified.tolist(), found.possible.tolist()) == ([False], [[True, True]])
        assert np.isinf(found.lead).all()
        assert np.isinf(output_range(net, ball_region(net, center, 0.1), Said(spoil)).distance("2")).all()


def test_bounds_that_leave_out_the_centre_are_a_bug():
    net = linear([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]])
    region = ball_region(net, np.asarray([[1.0, 0.9]]), 0.2)
    with pytest.raises(ArithmeticError, match="test-said: not sound; sample 0"):
        certify_actions(net, region, Said(lambda low, high: (low - 5, high - 5)))
    with pytest.raises(ArithmeticError, match="not sound"):
        output_range(net, region, Said(lambda low, high: (low + 5, high + 5)))


def test_unknown_backends_and_operations_are_refused_by_name():
    net = linear(np.eye(2))
    with pytest.raises(RequestError, match="unknown bound-backend 'crwn'"):
        certify_actions(net, ball_region(net, np.zeros((1, 2)), 0.1), "crwn")
    odd = torch.nn.Sequential(linear(np.eye(2)), torch.nn.Hardswish())
    with pytest.raises(RefusedError, match="no rule for Hardswish at '1'"):
        certify_actions(odd, ball_region(odd, np.ones((1, 2)), 0.1), Intervals())
    with pytest.raises(RequestError, match="bounds of shapes"):
        certify_actions(net, ball_region(net, np.ones((1, 2)), 0.1), Said(lambda low, high: (low[0], high[0])))


def test_a_batch_without_samples_and_a_lone_action():
    net = linear(np.ones((1, 2)))
    assert certify_actions(net, ball_region(net, np.zeros((3, 2)), 0.1), Intervals()).certified.all()
    two = linear(np.eye(2))
    empty = certify_actions(two, ball_region(two, np.zeros((0, 2)), 0.1), Intervals())
    assert (len(empty.certified), empty.rate) == (0, 0.0)


@pytest.mark.parametrize("norm", NORMS)
def test_the_certified_radius_is_below_the_distance_to_another_action(norm):
    rng = np.random.default_rng(4)
    net = linear(rng.normal(size=(2, 3)), dtype=torch.float64)
    center, scale = rng.normal(size=(20, 3)), np.asarray([1.0, 0.5, 2.0])
    found = certified_radius(net, center, Ball(norm, scale), Intervals(), greatest=0.8, tolerance=1e-6)
    weight = net[0].weight.detach().numpy()
    gap = np.abs(center @ (weight[0] - weight[1]))
    slope = np.abs(weight[0] - weight[1]) * scale
    dual = {"inf": slope.sum(), "2": np.sqrt((slope**2).sum()), "1": slope.max()}[norm]
    distance = np.minimum(gap / dual, 0.8)
    assert (found.radius <= distance * (1 + 1e-12)).all()
    assert (found.radius > 0).all()
    if norm == "inf":  # where the intervals are exact
        np.testing.assert_allclose(found.radius, distance, atol=1e-4)
    assert found.radius.max() == 0.8
    assert found.calls <= 24


def test_the_certified_radius_is_below_every_attack_on_a_deep_network():
    rng = np.random.default_rng(5)
    net = network(8, [3, 16, 16, 3])
    center = rng.normal(size=(15, 3))
    found = certified_radius(net, center, Ball(), Intervals(), greatest=2.0, tolerance=1e-3)
    assert (found.radius > 0).sum() > 8
    for share in (0.5, 0.999, 1.0):
        for point in inside(np.zeros_like(center), 1.0, "inf", rng, 200):
            assert (greedy(net, center + share * found.radius[:, None] * point) == found.nominal).all()
    attacked = np.full(15, np.inf)
    for radius in np.linspace(0.05, 2.0, 40):
        rows = 2 * torch.eye(3).double() - 0.5
        tried = [climbed(net, center, radius, "inf", row) for row in rows]
        for point in (*inside(center, radius, "inf", rng, 40), *tried):
            flipped = greedy(net, point) != found.nominal
            attacked = np.where(flipped, np.minimum(attacked, radius), attacked)
    assert (found.radius <= attacked).all()
    assert np.isfinite(attacked).any()


def test_a_certified_radius_was_itself_certified_whatever_the_backend_does():
    net, center = linear([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64), np.asarray([[1.0, 0.0], [1.0, 1.0]])
    certified = []

    class Moody(Intervals):
        """Certifies in bands, so that a larger radius may be certified where a smaller one is not."""

        def bound(self, module, region, spec):
            low, high = super().bound(module, region, spec)
            size = (region.corners[1] - region.center).amax(dim=1)
            sure = (size * 20).floor() % 2 == 0
            certified.extend(size[sure].tolist())
            return torch.where(sure[:, None], low, low - 9), torch.where(sure[:, None], high, high + 9)

    found = certified_radius(net, center, Ball(), Moody(), greatest=0.49, tolerance=1e-4)
    assert found.radius[1] == 0.0  # equal at the centre
    assert any(math.isclose(found.radius[0], radius, abs_tol=1e-9) for radius in certified)


@pytest.mark.parametrize("wrong", [{"greatest": 0.0}, {"greatest": math.inf}, {"tolerance": math.nan}])
def test_a_search_without_end_is_refused(wrong):
    with pytest.raises(RequestError, match="expected a finite number above 0"):
        certified_radius(
            linear(np.eye(2)), np.ones((1, 2)), Ball(), Intervals(), **({"greatest": 1.0, "tolerance": 0.1} | wrong)
        )


def test_the_rate_of_a_rollout_counts_steps_that_were_taken_greedily():
    net = linear([[1.0, 0.0], [0.0, 1.0]])
    seen = np.asarray([[1.0, 0.0], [0.0, 1.0], [1.0, 0.9], [3.0, 0.0]])
    backend = Intervals()
    found = certify_rollout(net, seen, Ball(), 0.1, backend)
    assert (found.certified.tolist(), found.rate) == ([True, True, False, True], 0.75)
    assert backend.calls == [4]
    other = certify_rollout(net, seen, Ball(), 0.1, backend, taken=np.asarray([0, 0, 0, 0]))
    assert (other.certified.tolist(), other.rate) == ([True, False, False, True], 0.5)
    with pytest.raises(RequestError, match=r"actions of shape \[1\]"):
        certify_rollout(net, seen, Ball(), 0.1, backend, taken=np.asarray([0]))
