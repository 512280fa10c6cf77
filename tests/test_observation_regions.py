"""Regions of observations: they hold what is seen and all that the attacker may show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from certificate_cases import inside, linear, torch
from sparring.access import Ball
from sparring.certificates import Normalisation, observation_region
from sparring.errors import RefusedError, RequestError

NORMS = ("inf", "2", "1")


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
