"""Certificates of policies against brute force: nothing that is found may contradict what is proved."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

import sparring
from certificate_cases import (
    Cell,
    Continuous,
    Greedy,
    Intervals,
    OnlyNetwork,
    OtherWise,
    Remembering,
    Said,
    Walk,
    least_by_trying,
    linear,
    network,
    torch,
    vertices,
)
from markov_duels import acted, observed, partial_control, random_game, random_policy
from sparring.access import Ball
from sparring.bounds import Region
from sparring.certificate import Certificate
from sparring.certificates import (
    Normalisation,
    OutputRange,
    SearchLimits,
    TabularBound,
    certified_radius,
    certify_actions,
    certify_return,
    certify_rollout,
    gaussian_change,
    greedy_module,
    observation_region,
    output_range,
    outward,
    total_variation_certificate,
)
from sparring.errors import RefusedError, RequestError
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.policy import Ability, Mixture
from sparring.projection import project_ball
from sparring.testing import Verdict, checks
from sparring.theory import TOTAL_VARIATION, printed_constant, sound_constant

NORMS = ("inf", "2", "1")
SINGLE = torch.float32


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Networks this small only wait for other threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def ball_region(net, center, radius, norm="inf"):
    return observation_region(Ball(norm), radius, center, net)


def inside(center, radius, norm, rng, count=300):
    """Points of the ball around each sample, its surface among them, [count, batch, features]."""
    change = rng.normal(size=(count, *center.shape)) * rng.choice([0.1, 1.0, 5.0], size=(count, 1, 1))
    change[: count // 3] = np.sign(change[: count // 3]) * 10
    size = np.asarray(radius)
    column = size[:, None] if size.ndim else size
    return center + project_ball(change * column, column if norm == "inf" else size, norm)


def climbed(net, center, radius, norm, row):
    """Where gradient steps lead that raise `row @ outputs`, kept in the ball, [batch, features]."""
    point = torch.as_tensor(center, dtype=torch.float64).clone()
    copy = network_in_double(net)
    for _ in range(30):
        point.requires_grad_(True)
        (gradient,) = torch.autograd.grad((copy(point) @ row).sum(), point)
        moved = (point + radius * 0.3 * gradient.sign()).detach().numpy()
        point = torch.as_tensor(center + project_ball(moved - center, radius, norm))
    return point.numpy()


def network_in_double(net):
    import copy

    return copy.deepcopy(net).double()


def greedy(net, points):
    """Greedy action at points [..., features], as the victim computes it."""
    own = next(net.parameters()).dtype
    with torch.no_grad():
        values = net(torch.as_tensor(points, dtype=own).reshape(-1, points.shape[-1])).numpy()
    return values.argmax(axis=1).reshape(points.shape[:-1])


# -- regions -------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), norm=st.sampled_from(NORMS), double=st.booleans(), bounded=st.booleans())
def test_the_region_holds_the_observation_and_all_that_the_attacker_may_show(seed, norm, double, bounded):
    rng = np.random.default_rng(seed)
    dtype = torch.float64 if double else torch.float32
    net = linear(np.ones((1, 4)), dtype=dtype)
    seen = rng.normal(size=(5, 4)) * 10.0 ** rng.integers(-3, 5, size=4)
    radius, scale = rng.uniform(0, 2, size=5), rng.choice([0.0, 0.25, 1.0, 3.0], size=4)
    low, high = (np.full(4, -1.5), np.full(4, 0.7)) if bounded else (None, None)
    region = observation_region(Ball(norm, scale, low, high), radius, seen, net)
    corners = [corner.double().numpy() for corner in region.corners]
    unit = np.where(scale > 0, scale, 1.0)
    for change in inside(np.zeros((5, 4)), radius, norm, rng, 60):
        shown = seen + change * scale
        if bounded:
            shown = np.clip(shown, np.minimum(low, seen), np.maximum(high, seen))
        for point in (shown, seen):
            cast = torch.as_tensor(point, dtype=torch.float64).to(dtype).double().numpy()
            assert (corners[0] <= cast).all()
            assert (cast <= corners[1]).all()
            if norm != "inf":
                gone = cast - region.ball_center.double().numpy()
                size = np.sqrt((gone**2).sum(1)) if norm == "2" else np.abs(gone).sum(1)
                assert (size <= region.ball_radius.double().numpy() * (1 + 1e-12)).all()
    # No wider than it must be: the box of the attacker's set, but for a little rounding.
    reach = radius[:, None] * scale
    least = np.minimum(np.maximum(seen - reach, -np.inf if low is None else np.minimum(low, seen)), seen)
    most = np.maximum(np.minimum(seen + reach, np.inf if high is None else np.maximum(high, seen)), seen)
    room = 1e-6 * (1 + np.abs(seen) + reach)
    assert (corners[0] >= least - room).all()
    assert (corners[1] <= most + room).all()
    assert unit.min() > 0


def test_an_observation_outside_of_the_domain_stays_in_the_region():
    net = linear(np.ones((1, 2)))
    region = observation_region(Ball("inf", low=np.zeros(2), high=np.ones(2)), 0.5, np.asarray([[3.0, 0.9]]), net)
    low, high = (corner.numpy() for corner in region.corners)
    np.testing.assert_allclose(low, [[2.5, 0.4]], atol=1e-6)  # clipped from above to the observation, not to 1
    np.testing.assert_allclose(high, [[3.0, 1.0]], atol=1e-6)
    assert (low <= [[3.0, 0.9]]).all()
    assert (high >= np.float32([[3.0, 0.9]])).all()


def test_a_radius_of_zero_is_a_point_and_a_cast_is_outward():
    net = linear(np.ones((1, 2)))
    exact = observation_region(Ball(), 0.0, np.asarray([[0.5, -2.0]]), net)
    assert all(torch.equal(corner, exact.center) for corner in exact.corners)
    third = observation_region(Ball(), 0.0, np.asarray([[1 / 3, -1 / 3]]), net)
    low, high = (corner.double().numpy() for corner in third.corners)
    assert (low < [[1 / 3, -1 / 3]]).all()
    assert (high > [[1 / 3, -1 / 3]]).all()
    assert torch.equal(torch.nextafter(third.corners[0], torch.tensor(9.0)), third.corners[1])


def test_a_normalised_ball_is_stretched_back():
    rng = np.random.default_rng(3)
    mean, deviation = np.asarray([100.0, -3.0, 0.0]), np.asarray([0.01, 2.0, 30.0])
    net, seen = linear(np.ones((1, 3))), mean + deviation * rng.normal(size=(6, 3))
    ball = Ball("inf", space="normalised", low=np.full(3, -1.0), high=np.full(3, 1.0))
    region = observation_region(ball, 0.2, seen, net, normalisation=Normalisation(mean, deviation))
    low, high = (corner.double().numpy() for corner in region.corners)
    middle = (seen - mean) / deviation
    least = np.maximum(middle - 0.2, np.minimum(-1, middle))
    most = np.minimum(middle + 0.2, np.maximum(1, middle))
    assert (low <= mean + deviation * least).all()
    assert (high >= mean + deviation * most).all()
    np.testing.assert_allclose(low, mean + deviation * least, rtol=0, atol=2e-4)
    np.testing.assert_allclose(high, mean + deviation * most, rtol=0, atol=2e-4)


@pytest.mark.parametrize(
    ("ball", "radius", "seen", "line"),
    [
        (Ball(), -1.0, [[0.0, 0.0]], "radius of shape"),
        (Ball(), [1.0, 2.0], [[0.0, 0.0]], "radius of shape"),
        (Ball(), 1.0, [[np.nan, 0.0]], "NaN or infinity"),
        (Ball(), 1.0, [0.0, 0.0], r"expected \[batch, \*features\]"),
        (Ball(scale=np.ones(3)), 1.0, [[0.0, 0.0]], r"scale has shape \[3\], expected \[2\]"),
        (Ball(scale=-np.ones(2)), 1.0, [[0.0, 0.0]], "finite numbers from 0"),
        (Ball(low=np.ones(2), high=np.zeros(2)), 1.0, [[0.0, 0.0]], "domain is empty"),
        (Ball(space="normalised"), 1.0, [[0.0, 0.0]], "give normalisation"),
        (Ball(), 1e39, [[0.0, 0.0]], "does not fit in torch.float32"),
    ],
)
def test_what_makes_no_region_is_one_line(ball, radius, seen, line):
    with pytest.raises(RequestError, match=line):
        observation_region(ball, np.asarray(radius), np.asarray(seen), linear(np.ones((1, 2))))


def test_half_precision_is_refused():
    with pytest.raises(RefusedError, match=r"computes in torch.float16"):
        observation_region(Ball(), 0.1, np.zeros((1, 2)), linear(np.ones((1, 2))).half())


# -- discrete actions ----------------------------------------------------------------------------------------------


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


# -- continuous actions --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("norm", NORMS)
def test_the_change_of_a_continuous_action_is_bounded(norm):
    rng = np.random.default_rng(6)
    net = network(2, [3, 10, 3], activation=torch.nn.Tanh)
    center = rng.normal(size=(10, 3))
    found = output_range(net, ball_region(net, center, 0.2), Intervals())
    ordinal = {"inf": np.inf, "2": 2, "1": 1}[norm]
    for point in inside(center, 0.2, "inf", rng, 400):
        with torch.no_grad():
            values = net(torch.as_tensor(point, dtype=SINGLE)).double().numpy()
        assert (found.low <= values).all()
        assert (values <= found.high).all()
        assert (np.linalg.norm(values - found.nominal, ord=ordinal, axis=1) <= found.distance(norm)).all()
    narrow = found.clipped(-0.1, 0.1)
    assert (np.abs(narrow.low) <= 0.1).all()
    assert (narrow.distance(norm) <= found.distance(norm)).all()
    assert (found.columns(1, 3).distance(norm) <= found.distance(norm)).all()
    assert (found.width >= (found.high - found.low).mean(axis=1)).all()


def test_distances_are_as_tight_as_the_ranges_where_all_outputs_move_at_once():
    net = linear(np.diag([1.0, -2.0, 3.0]), dtype=torch.float64)
    found = output_range(net, ball_region(net, np.asarray([[1.0, 2.0, 3.0]]), 0.5), Intervals())
    for norm, wanted in (("inf", 1.5), ("1", 3.0), ("2", math.sqrt(0.25 + 1 + 2.25))):
        assert found.distance(norm)[0] == pytest.approx(wanted, rel=1e-4)
        assert found.distance(norm)[0] >= wanted
    with pytest.raises(RequestError, match="norm '3'"):
        found.distance("3")
    lopsided = OutputRange(np.asarray([[0.0]]), np.asarray([[-1.0]]), np.asarray([[4.0]]))
    assert lopsided.distance("inf")[0] == pytest.approx(4.0)
    assert OutputRange(-lopsided.nominal, -lopsided.high, -lopsided.low).distance("inf")[0] == pytest.approx(4.0)


@settings(max_examples=200)
@given(st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=6))
def test_rounding_is_outward(parts):
    array = np.asarray(parts)
    exact = sum(Fraction(abs(part)) for part in parts)
    assert Fraction(float(outward.sum_above(np.abs(array)))) >= exact
    squares = sum(Fraction(part) ** 2 for part in parts)
    length = float(outward.euclidean_above(array))
    assert math.isinf(length) or Fraction(length) ** 2 >= squares
    assert length <= float(np.abs(array).sum()) * (1 + 1e-14) + 1e-300
    for part in parts:
        single = [float(cast(np.asarray([part]), np.float32)[0]) for cast in (outward.cast_above, outward.cast_below)]
        assert single[1] <= part <= single[0]
        assert Fraction(float(outward.below(part))) < Fraction(part) < Fraction(float(outward.above(part)))


def density(x, mean, deviation):
    return math.exp(-0.5 * ((x - mean) / deviation) ** 2) / (deviation * math.sqrt(2 * math.pi))


def variation(one, other):
    """Total variation of two normal distributions of one variable, by integration."""
    cuts = sorted({one[0], other[0], (one[0] + other[0]) / 2})
    ends = [cuts[0] - 12 * max(one[1], other[1]), *cuts, cuts[-1] + 12 * max(one[1], other[1])]
    parts = [quad(lambda x: abs(density(x, *one) - density(x, *other)), a, b, limit=200)[0]
             for a, b in itertools.pairwise(ends)]  # fmt: skip
    return sum(parts) / 2


def divergence(one, other):
    return quad(
        lambda x: density(x, *one) * (math.log(density(x, *one)) - math.log(density(x, *other))),
        one[0] - 10 * one[1], one[0] + 10 * one[1], limit=300,
    )[0]  # fmt: skip


@pytest.mark.parametrize("move", [0.01, 0.3, 1.0, 4.0])
def test_gaussian_bounds_are_the_integrals_where_the_range_is_attained(move):
    mean = OutputRange(np.asarray([[0.5]]), np.asarray([[0.5 - move]]), np.asarray([[0.5 + move / 2]]))
    found = gaussian_change(mean, deviation=np.asarray([0.7]))
    one, other = (0.5, 0.7), (0.5 - move, 0.7)
    assert found.total_variation[0] == pytest.approx(variation(one, other), rel=1e-7)
    assert found.divergence[0] == pytest.approx(divergence(one, other), rel=1e-7)
    exact = math.erf(move / (2 * math.sqrt(2) * 0.7))
    assert found.total_variation[0] >= exact
    if move == 0.01:  # what theorem 6.3.2 of the thesis prints is twice as much
        assert math.sqrt(2 / math.pi) * move / 0.7 == pytest.approx(2 * found.total_variation[0], rel=1e-3)


def test_gaussian_bounds_of_several_actions_combine_as_mahalanobis_length():
    mean = OutputRange(np.zeros((1, 2)), np.asarray([[-0.3, -0.1]]), np.asarray([[0.2, 0.4]]))
    found = gaussian_change(mean, deviation=np.asarray([0.5, 2.0]))
    length = math.hypot(0.3 / 0.5, 0.4 / 2.0)
    assert found.divergence[0] == pytest.approx(length**2 / 2)
    assert found.total_variation[0] == pytest.approx(variation((0.0, 1.0), (length, 1.0)), rel=1e-7)


def test_a_deviation_that_moves_is_bounded_over_all_ends():
    rng = np.random.default_rng(7)
    for _ in range(40):
        at, width = rng.normal(), rng.uniform(0, 1.5)
        mean = OutputRange(np.asarray([[0.0]]), np.asarray([[-width]]), np.asarray([[width * rng.uniform()]]))
        below, above = rng.uniform(0, 1.5, size=2)
        spread = OutputRange(np.asarray([[at]]), np.asarray([[at - below]]), np.asarray([[at + above]]))
        found = gaussian_change(mean, log_deviation=spread)
        sigma = math.exp(at)
        worst = 0.0
        for step in np.linspace(-below, above, 41):
            for shift in np.linspace(mean.low[0, 0], mean.high[0, 0], 21):
                to = sigma * math.exp(step)
                worst = max(worst, step + (sigma**2 + shift**2) / (2 * to**2) - 0.5)
        assert found.divergence[0] >= worst * (1 - 1e-12)
        assert found.divergence[0] == pytest.approx(worst, rel=1e-9, abs=1e-12)
        for step in (-below, above):
            assert variation((0.0, sigma), (-width, sigma * math.exp(step))) <= found.total_variation[0] + 1e-9
        wanted = min(math.sqrt(worst / 2), math.sqrt(-math.expm1(-worst)))
        assert found.total_variation[0] == pytest.approx(wanted, rel=1e-6, abs=1e-7)
    still = OutputRange(np.zeros((1, 1)), np.zeros((1, 1)), np.zeros((1, 1)))
    assert 0 <= gaussian_change(still, log_deviation=still).divergence[0] < 1e-13
    unknown = OutputRange(np.zeros((1, 1)), np.full((1, 1), -np.inf), np.full((1, 1), np.inf))
    assert np.isinf(gaussian_change(unknown, deviation=np.ones(1)).divergence).all()
    assert gaussian_change(unknown, deviation=np.ones(1)).total_variation.tolist() == [1.0]
    assert np.isinf(gaussian_change(still, log_deviation=unknown).divergence).all()
    assert gaussian_change(still, log_deviation=unknown).total_variation.tolist() == [1.0]


def test_gaussian_bounds_need_one_deviation_that_fits():
    mean = OutputRange(np.zeros((1, 2)), np.zeros((1, 2)), np.zeros((1, 2)))
    for wrong in ({}, {"deviation": np.ones(2), "log_deviation": mean}, {"deviation": np.ones(3)},
                  {"deviation": np.asarray([1.0, 0.0])}, {"log_deviation": mean.columns(0, 1)}):  # fmt: skip
        with pytest.raises(RequestError, match="gaussian"):
            gaussian_change(mean, **wrong)


# -- returns -------------------------------------------------------------------------------------------------------

REWARDS = (1.0, 0.2, -0.4, 0.7, 0.1)
SEEDS = (0, 1, 2, 3)


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


# -- recurrent victims ---------------------------------------------------------------------------------------------


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


# -- tables --------------------------------------------------------------------------------------------------------


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), radius=st.integers(0, 2), alike=st.floats(0, 1))
def test_theorem_6_3_1_never_certifies_more_than_the_strongest_attacker_leaves(seed, radius, alike):
    game = random_game(seed, gamma=0.6)
    duel = observed(game, radius)
    drawn = random_policy(seed + 1, 4, 3).probabilities
    victim = MarkovPolicy(alike * drawn[:1] + (1 - alike) * drawn)
    found = duel.certify(victim, tables())
    exact = -duel.exploitability(victim).lower
    assert found.least_return <= exact + 1e-9
    facts = found.facts
    assert facts["exact_return"] == pytest.approx(exact)
    assert facts["nominal_return"] - facts["certified_loss"] == pytest.approx(found.least_return)
    table, legal = victim.probabilities, duel.effective.legal
    shown = [TOTAL_VARIATION.between(table[s], table[np.flatnonzero(legal[s])]).max() for s in range(4)]
    assert facts["total_variation"] == pytest.approx(max(shown), abs=1e-12)
    assert facts["certified_loss"] == pytest.approx(2 * game.max_reward / 0.16 * max(shown), abs=1e-9)
    if facts["looseness"] is not None:
        assert facts["looseness"] == pytest.approx(facts["certified_loss"] / facts["exact_loss"])
        assert facts["looseness"] >= 1 - 1e-9


def tables():
    from sparring.registry import default_registry

    return default_registry().create("bound-backend", "total-variation")


def two_states():
    """The errata's game: the good state is left for the bad one when mistaken for it, with probability .01."""
    transition = np.asarray([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    reward = np.asarray([[1.0, -1.0], [-1.0, -1.0]])
    game = MarkovGame.from_arrays("two states", transition, reward, gamma=0.5, rho=np.asarray([1.0, 0.0]),
                                  neighbours=np.ones((2, 2), dtype=bool))  # fmt: skip
    return observed(game, 1), MarkovPolicy(np.asarray([[1.0, 0.0], [0.99, 0.01]]))


class Printed(TabularBound):
    """The theorem as it is printed."""

    name = "printed"
    summary = "theorem 6.3.1 with the constant that the thesis prints"

    def certify(self, duel, victim):
        sound = total_variation_certificate(duel, victim)
        loss = sound.facts["total_variation"] * self.constant(duel.game)
        return replace(sound, backend=self.name, least_return=float(duel.measure(victim)) - loss)

    def constant(self, game):
        return printed_constant(game)


class Claims(Printed):
    def constant(self, game):
        return 0.01 * sound_constant(game)


def test_the_printed_constant_certifies_too_much_and_the_sound_one_does_not():
    duel, victim = two_states()
    sound = duel.certify(victim, tables())
    assert sound.facts["exact_loss"] == pytest.approx(0.0792, abs=5e-5)
    assert sound.facts["certified_loss"] == pytest.approx(0.08, abs=1e-12)
    assert sound.facts["looseness"] == pytest.approx(0.08 / 0.0792, rel=1e-3)
    assert sound.least_return == pytest.approx(2 - 0.08)
    assert Printed().certify(duel, victim).least_return == pytest.approx(2 - 0.06)
    with pytest.raises(ArithmeticError, match=r"bounds printed: certifies a return of 1\.9.*it is not sound"):
        duel.certify(victim, Printed())


def test_a_certificate_that_is_not_sound_is_caught_by_the_kit():
    outcomes = {check.name: check.outcome() for check in checks("bound-backend", Claims)}
    assert outcomes["certificates-are-sound"].verdict is Verdict.FAILED
    assert "strongest attacker leaves" in outcomes["certificates-are-sound"].message
    wanted = {"loads", "works-on-its-forms", "leaves-inputs-alone", "same-seed-same-result"}
    assert {outcomes[name].verdict for name in wanted} == {Verdict.PASSED}


def test_the_document_shows_the_certificate_and_the_interval_stays_exact():
    duel, victim = two_states()
    document = sparring.evaluate(duel, victim, bounds=["total-variation"])
    (shown,) = document.certificates
    assert (document.exploitability.exact, document.exploitability.method) == (True, "policy iteration")
    assert document.exploitability.lower == document.exploitability.upper
    assert (shown["backend"], shown["over"]) == ("total-variation", "distribution")
    assert shown["least_return"] < -document.exploitability.upper
    assert shown["facts"]["looseness"] > 1
    used = [plugin.name for plugin in document.provenance.plugins if plugin.kind == "bound-backend"]
    assert used == ["total-variation"]
    json.dumps(document.certificates, allow_nan=False)


def test_tables_have_nothing_to_say_of_other_threats_networks_and_mixtures():
    game = random_game(1)
    uniform = game.uniform_policy(None)
    with pytest.raises(RefusedError, match="speaks of one observation attack alone"):
        acted(game, 0.1).certify(uniform, tables())
    pair = random_game(1, others=2)
    with pytest.raises(RefusedError, match="speaks of one observation attack alone"):
        partial_control(pair, 0.5, pair.uniform_policy(1)).certify(pair.uniform_policy(0), tables())
    with pytest.raises(RefusedError, match="the victim is a mixture"):
        observed(game, 1).certify(Mixture((uniform, uniform), (0.5, 0.5)), tables())
    with pytest.raises(RefusedError, match="the markov form has no certificate"):
        observed(game, 1).certify(uniform, Intervals())
    with pytest.raises(RefusedError, match="bounds policies of tabular games"):
        tables().bound(linear(np.eye(2)), Region(torch.zeros(1, 2), 0.1), None)
    matrix = sparring.load_game("matrix:rock-paper-scissors")
    duel = sparring.attack(matrix, threat="partial-control", budget=1.0, victim_player=0)
    with pytest.raises(RefusedError, match="the matrix form has no certificate"):
        sparring.evaluate(duel, "uniform", bounds=["total-variation"])


def test_a_certificate_of_nothing_is_compared_too():
    class Silent(Printed):
        def certify(self, duel, victim):
            return Certificate("silent", None)

    duel, victim = two_states()
    found = duel.certify(victim, Silent())
    assert (found.least_return, found.facts["looseness"]) == (None, None)
    assert found.facts["exact_loss"] > 0
