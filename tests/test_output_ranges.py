"""How far continuous actions and Gaussians can be moved, against sampling and integrals."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad

from certificate_cases import Intervals, ball_region, inside, linear, network, torch
from sparring.certificates import OutputRange, gaussian_change, output_range, outward
from sparring.errors import RequestError

NORMS = ("inf", "2", "1")
SINGLE = torch.float32


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
