"""Lines around functions of one variable, judged in higher precision than the one they were made in."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="bounds need torch")

import torch
from scipy.special import erf, erfc
from torch import Tensor

from sparring.errors import RefusedError, RequestError
from sparring_plugins.propagation.curves import (
    CHOICES,
    ELU,
    GELU,
    Abs,
    Clamp,
    Curve,
    Exp,
    Kink,
    LeakyReLU,
    Lines,
    Log,
    Reciprocal,
    ReLU,
    Rsqrt,
    Sigmoid,
    SiLU,
    Softplus,
    Sqrt,
    Square,
    Tanh,
    TanhGELU,
)

Wide = np.ndarray  # of longdouble
LONG = np.longdouble
DTYPES = [torch.float32, torch.float64]


def exact_gelu(x: Wide) -> Wide:
    """Float64 error functions of a point near x, and Taylor's formula for the rest of x: right to 1e-18 or so."""
    near = x.astype(np.float64)
    rest = x - near
    z = near.astype(LONG) / np.sqrt(LONG(2))
    z64 = z.astype(np.float64)
    density = LONG(2) / np.sqrt(np.arccos(LONG(-1))) * np.exp(-(z64.astype(LONG) ** 2))
    step = z - z64 + rest / np.sqrt(LONG(2))
    small = np.where(z64 < 0, erfc(-z64), 1 + erf(z64)).astype(LONG) + density * step
    return x * small / 2


def softplus(x: Wide, beta: float = 1.0, threshold: float = 20.0) -> Wide:
    z = x * LONG(beta)
    smooth = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    return np.where(z > threshold, x, smooth / LONG(beta))


def logistic(x: Wide) -> Wide:
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def tanh_gelu(x: Wide) -> Wide:
    inner = np.sqrt(LONG(2) / np.arccos(LONG(-1))) * (x + LONG(0.044715) * x**3)
    return x * logistic(2 * inner)


def elu(alpha: float) -> Callable[[Wide], Wide]:
    return lambda x: np.where(x > 0, x, LONG(alpha) * np.expm1(np.minimum(x, 0)))


@dataclass(frozen=True)
class Case:
    name: str
    curve: Curve
    exact: Callable[[Wide], Wide]
    places: tuple[float, ...] = ()  # kinks, minima, bends
    domain: str = "all"  # all, positive, nonzero, modest
    least_area: bool = True

    def __str__(self) -> str:
        return self.name


def rounded(slope: float) -> Callable[[Wide], Wide]:
    """A slope that is a number in float32 and in float64."""
    return lambda x: np.where(x > 0, x, x * LONG(slope))


CASES = [
    Case("relu", ReLU(), lambda x: np.maximum(x, 0), (0.0,)),
    Case("leaky", LeakyReLU(0.125), rounded(0.125), (0.0,), least_area=False),
    Case("leaky-falling", LeakyReLU(-0.75), rounded(-0.75), (0.0,)),
    Case("leaky-steep", LeakyReLU(2.5), rounded(2.5), (0.0,)),
    Case("kink", Kink(-2.0, 0.375), lambda x: np.where(x > 0, x * LONG(0.375), -2 * x), (0.0,)),
    Case("peak", Kink(0.5, -1.5), lambda x: np.where(x > 0, x * LONG(-1.5), x / 2), (0.0,)),
    Case("abs", Abs(), np.abs, (0.0,)),
    Case("clamp", Clamp(-1.0, 1.0), lambda x: np.clip(x, -1, 1), (-1.0, 1.0)),
    Case("relu6", Clamp(0.0, 6.0), lambda x: np.clip(x, 0, 6), (0.0, 6.0)),
    Case("clamp-above", Clamp(None, 0.5), lambda x: np.minimum(x, LONG(0.5)), (0.5,)),
    Case("tanh", Tanh(), np.tanh, (0.0,)),
    Case("sigmoid", Sigmoid(), logistic, (0.0,)),
    Case("exp", Exp(), np.exp, (), "modest"),
    Case("softplus", Softplus(), softplus, (20.0, float(np.nextafter(20.0, 30.0)))),
    Case("softplus-low", Softplus(2.0, 3.0), lambda x: softplus(x, 2.0, 3.0), (1.5, 1.5 + 1e-12), least_area=False),
    Case("elu", ELU(), elu(1.0), (0.0,)),
    Case("elu-flat", ELU(0.25), elu(0.25), (0.0,)),
    Case("elu-steep", ELU(3.0), elu(3.0), (0.0,)),
    Case("gelu", GELU(), exact_gelu, (-0.75179, -math.sqrt(2), math.sqrt(2), 0.0)),
    Case("gelu-tanh", TanhGELU(), tanh_gelu, (-0.75246, 0.0)),
    Case("silu", SiLU(), lambda x: x * logistic(x), (-1.27846, 0.0)),
    Case("log", Log(), np.log, (), "positive"),
    Case("sqrt", Sqrt(), np.sqrt, (), "positive"),
    Case("rsqrt", Rsqrt(), lambda x: 1 / np.sqrt(x), (), "positive"),
    Case("reciprocal", Reciprocal(), lambda x: 1 / x, (), "nonzero"),
    Case("square", Square(), np.square, (0.0,), least_area=False),
]
every_curve = pytest.mark.parametrize("case", CASES, ids=str)
both_dtypes = pytest.mark.parametrize("dtype", DTYPES, ids=["float32", "float64"])


def intervals(case: Case, centers: np.ndarray, widths: np.ndarray, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Intervals in the domain of the curve, from left ends (or nearest ends) and widths."""
    if case.domain == "modest":
        centers = np.clip(centers, -60, 40)
        widths = np.minimum(widths, 30)
    if case.domain in ("positive", "nonzero"):
        near = np.maximum(np.abs(centers), 1e-6)
        sign = np.sign(centers) if case.domain == "nonzero" else np.ones_like(near)
        centers = np.where(sign >= 0, near, -near - widths)
    low = torch.tensor(centers, dtype=torch.float64).to(dtype)
    high = torch.maximum(low, torch.tensor(centers + widths, dtype=torch.float64).to(dtype))
    if case.domain == "nonzero":
        low, high = (
            torch.where((low < 0) & (high >= 0), -torch.ones_like(low), low),
            torch.where((low < 0) & (high >= 0), -torch.ones_like(low) / 2, high),
        )
    return low, high


def drawn(case: Case, seed: int, count: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Intervals of all sizes, many of them at the places where something happens."""
    rng = np.random.default_rng(seed)
    size = 10.0 ** rng.uniform(-7, 2.5, count)
    centers = rng.choice([-1.0, 1.0], count) * 10.0 ** rng.uniform(-6, 2, count)
    usual = rng.uniform(size=count) < 0.5
    centers, size = np.where(usual, rng.normal(0, 2, count), centers), np.where(usual, rng.exponential(2, count), size)
    if case.places:
        there = rng.uniform(size=count) < 0.4
        centers = np.where(there, rng.choice(case.places, count) - size * rng.uniform(-0.1, 1.1, count), centers)
    return intervals(case, centers, np.where(rng.uniform(size=count) < 0.05, 0.0, size), dtype)


def wide(x: Tensor) -> Wide:
    return x.detach().double().numpy().astype(LONG)


def grid(case: Case, low: Tensor, high: Tensor, count: int = 129) -> Wide:
    """Points of each interval: `[count + places, *shape]`, both ends and the places among them."""
    left, right = wide(low), wide(high)
    share = (1 - np.cos(np.linspace(0, np.pi, count))) / 2  # denser at the ends
    share = share.astype(LONG).reshape(-1, *(1,) * left.ndim)
    share[0], share[-1] = 0, 1
    points = [np.clip(left + share * (right - left), left, right)]
    points += [np.clip(LONG(place), left, right)[None] for place in case.places]
    return np.concatenate(points)


def gaps(case: Case, lines: Lines, x: Wide) -> tuple[Wide, Wide]:
    """How far the curve is above the lower and below the upper line, in extended precision."""
    value = case.exact(x)
    return (
        value - (wide(lines.lower_slope) * x + wide(lines.lower_intercept)),
        (wide(lines.upper_slope) * x + wide(lines.upper_intercept)) - value,
    )


def assert_around(case: Case, lines: Lines, low: Tensor, high: Tensor) -> None:
    """The lines hold on a grid, and on a finer one around the points where the gaps are smallest."""
    low, high = low.expand_as(lines.lower_slope), high.expand_as(lines.lower_slope)
    x, left, right = grid(case, low, high), wide(low), wide(high)
    fine = np.linspace(-1, 1, 65).astype(LONG).reshape(-1, *(1,) * left.ndim) * (right - left) / 60
    tiny = 5 * torch.finfo(low.dtype).tiny
    for side in (0, 1):
        closest = np.take_along_axis(x, gaps(case, lines, x)[side].argmin(0)[None], 0)
        for points in (x, np.clip(closest + fine, left, right)):
            gap = gaps(case, lines, points)[side]
            noise = 8 * np.finfo(LONG).eps * (np.abs(case.exact(points)) + np.abs(wide(slopes(lines)[side]) * points))
            noise += 1e-17 * np.minimum(np.abs(points), 10) if case.name == "gelu" else 0  # of the reference
            bad = ~(gap >= -noise - tiny)
            assert not bad.any(), (case.name, side, gap[bad][:3], points[bad][:3])


@both_dtypes
@every_curve
def test_lines_hold_between_the_ends(case, dtype):
    low, high = drawn(case, 1, 200, dtype)
    for choice in CHOICES if isinstance(case.curve, (ReLU, Kink)) else ["adaptive", "same"]:
        assert_around(case, case.curve.lines(low, high, choice), low, high)


@both_dtypes
@every_curve
@settings(max_examples=10)
@given(st.lists(st.tuples(st.floats(-30, 30), st.floats(0, 40)), min_size=1, max_size=20))
def test_lines_hold_on_any_interval(case, dtype, ends):
    centers, widths = (np.array(part) for part in zip(*ends, strict=True))
    low, high = intervals(case, centers, widths, dtype)
    assert_around(case, case.curve.lines(low, high), low, high)


@both_dtypes
@every_curve
def test_free_lines_hold_whatever_alpha(case, dtype):
    low, high = drawn(case, 2, 100, dtype)
    alpha = torch.rand((2, 4, 100), generator=torch.Generator().manual_seed(3), dtype=dtype)
    alpha[:, 0], alpha[:, 1] = 0.0, 1.0
    lines = case.curve.free_lines(low, high, alpha)
    assert lines.lower_slope.shape == lines.upper_intercept.shape == (4, 100)
    assert_around(case, lines, low, high)


@both_dtypes
@every_curve
def test_start_gives_the_lines_of_crown(case, dtype):
    low, high = drawn(case, 4, 300, dtype)
    start = case.curve.start(low, high)
    assert start.shape == (2, 300)
    assert ((start >= 0) & (start <= 1)).all()
    free, fixed = case.curve.free_lines(low, high, start), case.curve.lines(low, high)
    middle = low + (high - low) / 2
    for ours, theirs in ((at(free, middle, 0), at(fixed, middle, 0)), (at(free, middle, 1), at(fixed, middle, 1))):
        scale = 1e-3 * (high - low).double() + 1e-5 * (theirs.abs() + 1e-30)
        assert ((ours - theirs).abs() <= scale).all()


def at(lines: Lines, x: Tensor, side: int) -> Tensor:
    """The lower (0) or upper (1) line at x, in float64."""
    slope = (lines.lower_slope, lines.upper_slope)[side].double()
    return slope * x.double() + (lines.lower_intercept, lines.upper_intercept)[side].double()


@every_curve
def test_each_row_of_alpha_moves_its_own_line(case):
    low, high = drawn(case, 13, 100, torch.float64)
    before, lower, upper = torch.full((3, 2, 100), 0.4, dtype=torch.float64)
    lower[0], upper[1] = 0.9, 0.9
    before, lower, upper = (case.curve.free_lines(low, high, alpha) for alpha in (before, lower, upper))
    assert torch.equal(before.upper_slope, lower.upper_slope)
    assert torch.equal(before.upper_intercept, lower.upper_intercept)
    assert torch.equal(before.lower_slope, upper.lower_slope)
    assert torch.equal(before.lower_intercept, upper.lower_intercept)
    assert not torch.equal(before.lower_slope, lower.lower_slope) or not torch.equal(
        before.upper_slope, upper.upper_slope
    )


@every_curve
def test_no_line_comes_closer_than_the_touching_one(case):
    low, high = drawn(case, 17, 100, torch.float64)
    points = torch.lerp(low, high, torch.linspace(0, 1, 9, dtype=torch.float64)[:, None])
    alpha = case.curve.touching(low.expand_as(points), high.expand_as(points), points)
    if alpha is None:
        assert isinstance(case.curve, (ReLU, Kink, Clamp, Tanh, Sigmoid))
        return
    assert alpha.shape == (2, 9, 100)
    touching = case.curve.free_lines(low, high, alpha)
    everywhere = torch.linspace(0, 1, 201, dtype=torch.float64)[:, None, None].expand(2, -1, 9, 100)
    others = case.curve.free_lines(low.expand_as(points), high.expand_as(points), everywhere)
    jump = 0.0 if case.least_area else 0.05  # softplus falls at a low threshold: no curve that a line could touch
    for side, closest in ((0, at(others, points, 0).amax(0)), (1, at(others, points, 1).amin(0))):
        behind = (closest - at(touching, points, side)) * (1, -1)[side]
        assert (behind <= 1e-6 * (high - low) + 1e-9 * closest.abs() + jump).all()


@both_dtypes
@every_curve
def test_alpha_reaches_every_tangent(case, dtype):
    """Where a line is free, moving alpha moves it."""
    if case.name in ("relu", "leaky", "elu", "exp", "log", "reciprocal", "square"):
        low, high = (torch.tensor([end], dtype=dtype) for end in ((0.5, 2.0) if case.domain != "all" else (-1.0, 1.5)))
        ends = [case.curve.free_lines(low, high, torch.full((2, 1), alpha, dtype=dtype)) for alpha in (0.0, 1.0)]
        moved = [(a - b).abs().item() for a, b in zip(slopes(ends[0]), slopes(ends[1]), strict=True)]
        assert max(moved) > 0.4
    if case.name in ("tanh", "sigmoid"):
        low, high = torch.tensor([-2.0], dtype=dtype), torch.tensor([3.0], dtype=dtype)
        ends = [case.curve.free_lines(low, high, torch.full((2, 1), alpha, dtype=dtype)) for alpha in (0.0, 1.0)]
        assert all(
            (a - b).item() > 0.1 / (3 if case.name == "sigmoid" else 1) for a, b in zip(*map(slopes, ends), strict=True)
        )


def slopes(lines: Lines) -> tuple[Tensor, Tensor]:
    return lines.lower_slope, lines.upper_slope


@both_dtypes
@every_curve
def test_image_is_what_torch_computes_on_the_interval(case, dtype):
    low, high = drawn(case, 5, 300, dtype)
    least, greatest = case.curve.image(low, high)
    share = torch.linspace(0, 1, 201, dtype=dtype)[:, None]
    x = torch.cat((torch.minimum(torch.maximum(low + share * (high - low), low), high), low[None], high[None]))
    places = [torch.clamp(torch.tensor(place, dtype=dtype), low, high)[None] for place in case.places]
    value = case.curve.value(torch.cat((x, *places)))
    slack = 2.0 * torch.as_tensor(case.curve.error(low, high))
    assert (value >= least - slack).all()
    assert (value <= greatest + slack).all()
    step = (greatest - least) * 1e-3 + slack + (2e-9 if case.name == "softplus" else 0)
    if case.name == "softplus-low":
        step = step + math.log1p(math.exp(-3.0)) / 2  # its jump is left out of the grid
    assert (value.amin(0) <= least + step).all()
    assert (value.amax(0) >= greatest - step).all()


@both_dtypes
@every_curve
def test_error_bounds_what_torch_gets_wrong(case, dtype):
    low, high = drawn(case, 6, 2000, dtype)
    share = torch.rand((5, 2000), generator=torch.Generator().manual_seed(7), dtype=dtype)
    x = torch.cat((torch.minimum(torch.maximum(low + share * (high - low), low), high), low[None], high[None]))
    off = np.abs(wide(case.curve.value(x)) - case.exact(wide(x)))
    allowed = wide(torch.as_tensor(case.curve.error(low, high), dtype=torch.float64))
    noise = 1e-17 * np.abs(wide(x)) if case.name == "gelu" else 0
    if case.name.startswith("softplus"):  # on either side of the jump, by rounding of beta * x
        off = np.where(np.abs(wide(x) - case.places[0]) < 1e-5, 0, off)
    assert (off <= allowed + noise).all()


@every_curve
def test_error_is_a_few_units_in_the_last_place(case):
    low, high = drawn(case, 8, 500, torch.float64)
    least, greatest = case.curve.image(low, high)
    largest = torch.maximum(
        torch.maximum(least.abs(), greatest.abs()), torch.maximum(low.abs(), high.abs()).clamp(max=10)
    )
    assert (torch.as_tensor(case.curve.error(low, high)) <= 3e-15 * largest * (1 + torch.relu(-high)) + 1e-300).all()


@both_dtypes
@every_curve
def test_intervals_of_one_point_are_exact(case, dtype):
    point, _ = drawn(case, 9, 200, dtype)
    lines = case.curve.lines(point, point)
    value = case.curve.value(point).double()
    eps = torch.finfo(dtype).eps
    for side in (0, 1):
        size = value.abs() + 2 * (slopes(lines)[side] * point).abs().double()
        size = size + (
            1.0 if case.name == "sigmoid" else point.abs().clamp(max=10).double() if "lu" in case.name else 0
        )
        jump = 0.03 if case.name == "softplus-low" else 3e-9 if case.name == "softplus" else 0
        there = (point.double() - case.places[0]).abs() < 1e-4 if jump else torch.zeros_like(point, dtype=torch.bool)
        assert ((at(lines, point, side) - value).abs() <= 60 * eps * size + 1e-37 + jump * there).all()


@both_dtypes
@every_curve
def test_gradients_are_finite_everywhere(case, dtype):
    low, high = drawn(case, 10, 400, dtype)
    low[:40], high[:40] = high[:40], high[:40]  # single points
    if case.domain == "all":
        low[40:80], high[40:60], high[60:80] = 0.0, 0.0, 1.0
        low[80:90], high[80:90] = -1e-30, 1e-30
        low[90:95], high[95:100] = -1e30 if dtype == torch.float64 else -1e15, 1e15
    low, high = low.requires_grad_(), high.requires_grad_()
    alpha = torch.rand((2, 3, 400), dtype=dtype, generator=torch.Generator().manual_seed(11)).requires_grad_()
    for lines in (case.curve.lines(low, high), case.curve.free_lines(low, high, alpha)):
        parts = (lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept)
        assert all(part.isfinite().all() for part in parts)
        total = sum((part / (1 + part.detach().abs())).sum() for part in parts)
        if not total.requires_grad:
            continue
        for gradient in torch.autograd.grad(total, [low, high, alpha], allow_unused=True):
            assert gradient is None or gradient.isfinite().all()
    image = sum(end.sum() for end in case.curve.image(low, high))
    assert all(part.isfinite().all() for part in torch.autograd.grad(image, [low, high]))


@every_curve
def test_gradients_are_those_of_the_lines(case):
    pairs = [(-1.3, 0.77), (-0.4, 1.9), (0.31, 0.92), (-2.2, -0.83), (1.7, 3.1), (-4.1, -1.9), (-3.3, 2.6), (0.2, 9.0)]
    if case.domain in ("positive", "nonzero"):
        pairs = [(a, b) for a, b in pairs if a > 0 or (b < 0 and case.domain == "nonzero")]
    low, high = (torch.tensor(end, dtype=torch.float64, requires_grad=True) for end in zip(*pairs, strict=True))
    alpha = torch.full((2, len(pairs)), 0.37, dtype=torch.float64, requires_grad=True)

    def parts(lines: Lines) -> tuple[Tensor, ...]:
        return tuple(
            part if part.requires_grad else part + 0.0 * low
            for part in (lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept)
        )

    assert torch.autograd.gradcheck(lambda a, b: parts(case.curve.lines(a, b)), (low, high), atol=2e-5, rtol=2e-3)
    assert torch.autograd.gradcheck(
        lambda a, b, c: parts(case.curve.free_lines(a, b, c)), (low, high, alpha), atol=2e-5, rtol=2e-3
    )


def envelope(case: Case, low: Tensor, high: Tensor) -> tuple[Wide, Wide]:
    """The best that a lower and an upper line can reach at the midpoint: of all chords across it, the extremes."""
    x = grid(case, low, high, 301)
    middle = (wide(low) + wide(high)) / 2
    best = []
    for column in range(x.shape[1]):
        points = np.unique(x[:, column])
        values = case.exact(points)
        left, right = points[:, None], points[None, :]
        across = (left < middle[column]) & (right > middle[column])
        share = np.where(across, (middle[column] - left) / np.where(across, right - left, 1), 0)
        chords = np.where(across, values[:, None] * (1 - share) + values[None, :] * share, np.nan)
        own = case.exact(middle[column : column + 1])[0]
        best.append((min(np.nanmin(chords), own), max(np.nanmax(chords), own)))
    low_best, high_best = zip(*best, strict=True)
    return np.array(low_best), np.array(high_best)


@every_curve
def test_lines_have_the_least_area(case):
    """A line's area depends on its height at the midpoint only, and none can be better there than the envelope."""
    if not case.least_area:
        pytest.skip("takes another rule in place of the least area")
    rng = np.random.default_rng(12)
    centers, widths = rng.normal(-1, 2, 30), rng.exponential(2.5, 30) + 0.05
    if case.name == "exp":
        widths = np.minimum(widths, 1.9)  # wider, the lower line is held above zero instead
    low, high = intervals(case, centers, widths, torch.float64)
    lines, middle = case.curve.lines(low, high), low + (high - low) / 2
    ideal = envelope(case, low, high)
    spread = wide(high - low) * 1e-4 * (1 + wide(case.curve.value(low)).__abs__())
    assert (wide(at(lines, middle, 0)) >= ideal[0] - spread).all()
    assert (wide(at(lines, middle, 1)) <= ideal[1] + spread).all()


# Known formulas ------------------------------------------------------------------------------------------------------


@both_dtypes
def test_relu_is_the_textbook_relaxation(dtype):
    low = torch.tensor([-3.0, -1.0, -2.0, 0.5, -4.0, 0.0, -1.0], dtype=dtype)
    high = torch.tensor([1.0, 3.0, 2.0, 2.0, -1.0, 5.0, 0.0], dtype=dtype)
    chord = torch.tensor([0.25, 0.75, 0.5, 1.0, 0.0, 1.0, 0.0], dtype=dtype)
    expected = {
        "adaptive": torch.tensor([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0], dtype=dtype),
        "same": chord,
        "zero": torch.tensor([0.0, 0.0, 0.0, 1.0, 0.0, 1.0, 0.0], dtype=dtype),
        "one": torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 1.0, 0.0], dtype=dtype),
    }
    for choice, lower in expected.items():
        lines = ReLU().lines(low, high, choice)
        torch.testing.assert_close(lines.lower_slope, lower)
        torch.testing.assert_close(lines.upper_slope, chord)
        torch.testing.assert_close(lines.upper_intercept, -chord * low.clamp(max=0))
        assert not lines.lower_intercept.any()
        assert torch.equal(lines.upper_slope[3:], torch.tensor([1.0, 0.0, 1.0, 0.0], dtype=dtype))
        assert not lines.upper_intercept[3:].any()


@both_dtypes
def test_the_tangent_of_a_square_keeps_near_zero(dtype):
    low = torch.tensor([-1.0, -3.0, 2.0, -4.0, 0.0, 5.0, 0.0], dtype=dtype)
    high = torch.tensor([3.0, 1.0, 4.0, -2.0, 8.0, 5.0, 0.0], dtype=dtype)
    touch = torch.tensor([0.5, -0.5, 2 + 5 / 6, -2 - 5 / 6, 2.0, 5.0, 0.0], dtype=dtype)
    lines = Square().lines(low, high)
    torch.testing.assert_close(lines.lower_slope, 2 * touch)
    torch.testing.assert_close(lines.lower_intercept, -touch.square(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(lines.upper_slope, low + high)


@both_dtypes
def test_leaky_relu_takes_the_common_rule(dtype):
    low = torch.tensor([-1.0, -1.0, -2.0, 1.0, -2.0], dtype=dtype)
    high = torch.tensor([0.9, 0.7, 1.0, 2.0, -1.0], dtype=dtype)
    share = torch.tensor([0.9 / 1.9, 0.7 / 1.7, 1 / 3, 1.0, 0.0], dtype=dtype)
    lines = LeakyReLU(0.1).lines(low, high)  # chords rise by 0.53, 0.47 ...
    torch.testing.assert_close(lines.upper_slope, 0.1 + 0.9 * share)
    torch.testing.assert_close(lines.lower_slope, torch.tensor([1.0, 0.1, 0.1, 1.0, 0.1], dtype=dtype))
    torch.testing.assert_close(LeakyReLU(0.1).lines(low, high, "same").lower_slope, lines.upper_slope)
    assert torch.equal(lines.upper_intercept[3:], torch.zeros(2, dtype=dtype))


@both_dtypes
def test_stable_intervals_of_clamps_are_exact(dtype):
    low, high = torch.tensor([-3.0, -0.3, 2.0], dtype=dtype), torch.tensor([-1.5, 0.7, 5.0], dtype=dtype)
    lines = Clamp(-1.0, 1.0).lines(low, high)
    for slope, intercept in ((lines.lower_slope, lines.lower_intercept), (lines.upper_slope, lines.upper_intercept)):
        assert slope.tolist() == [0.0, 1.0, 0.0]
        assert intercept.tolist() == [-1.0, 0.0, 1.0]


def test_tanh_lines_are_chord_and_tangents():
    low, high = (
        torch.tensor([0.5, -2.0, -1.0], dtype=torch.float64),
        torch.tensor([1.5, -1.0, 3.0], dtype=torch.float64),
    )
    lines = Tanh().lines(low, high)
    chord = (torch.tanh(high) - torch.tanh(low)) / (high - low)
    middle = 1 - torch.tanh((low + high) / 2) ** 2
    torch.testing.assert_close(lines.lower_slope[0], chord[0])
    torch.testing.assert_close(lines.upper_slope[1], chord[1])
    torch.testing.assert_close(lines.upper_slope[0], middle[0])
    torch.testing.assert_close(lines.lower_slope[1], middle[1])
    torch.testing.assert_close(lines.upper_slope[2], middle[2])  # the tangent at 1 passes above the left end
    touch = torch.atanh(-torch.sqrt(1 - lines.lower_slope[2]))  # left of zero, on the tangent through the right end
    through = torch.tanh(touch) + lines.lower_slope[2] * (high[2] - touch)
    torch.testing.assert_close(through, torch.tanh(high[2]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("left", [-1e-3, -0.1, -0.5, -1.0, -3.0, -20.0, -1e4, -1e8])
def test_tanh_tangents_pass_through_the_end(left):
    """With the far end out of reach, nothing but the tangent point is left to choose."""
    low, high = torch.tensor([left], dtype=torch.float64), torch.tensor([-0.52 * left], dtype=torch.float64)
    lines = Tanh().lines(low, high)  # the midpoint lies left of the tangent point
    above = at(lines, low, 1) - torch.tanh(low)
    assert 0 <= above.item() <= 2e-5 * abs(math.tanh(left))


@pytest.mark.parametrize("offset", [-1e-6, -1e-7, -1e-8, 0.0, 1e-8, 1e-7, 1e-6])
def test_tanh_lines_hold_where_chord_and_tangent_meet(offset):
    """Within the error of the table it may take the one for the other: the intercept must count both ends."""
    low = -torch.logspace(-2, 1, 300, dtype=torch.float64)
    touch = torch.asinh(-low) / 2
    for _ in range(20):
        slope = 1 - torch.tanh(touch) ** 2
        gap = torch.tanh(touch) - torch.tanh(low) - slope * (touch - low)
        touch = touch - gap / (2 * torch.tanh(touch) * slope * (touch - low))
    case = next(case for case in CASES if case.name == "tanh")
    assert_around(case, Tanh().lines(low, touch + offset), low, touch + offset)
    assert_around(case, Tanh().lines(-touch - offset, -low), -touch - offset, -low)


@both_dtypes
@pytest.mark.parametrize("curve", [ReLU(), LeakyReLU(0.25), LeakyReLU(3.0)], ids=["relu", "leaky", "steep"])
def test_alpha_leaves_stable_neurons_exact(curve, dtype):
    low, high = torch.tensor([1.0, -3.0], dtype=dtype), torch.tensor([2.0, -1.0], dtype=dtype)
    for alpha in (0.0, 0.3, 1.0):
        lines = curve.free_lines(low, high, torch.full((2, 2), alpha, dtype=dtype))
        left = curve.value(torch.tensor(-1.0)).neg().item()
        assert lines.lower_slope.tolist() == lines.upper_slope.tolist() == [1.0, left]
        assert not lines.lower_intercept.any()
        assert not lines.upper_intercept.any()


def test_exponentials_stay_above_zero():
    low = torch.linspace(-30, 5, 50, dtype=torch.float64)
    lines = Exp().lines(low, low + 20)
    assert (at(lines, low, 0) > 0).all()


# Edges ---------------------------------------------------------------------------------------------------------------


@both_dtypes
@every_curve
def test_huge_intervals_are_never_not_a_number(case, dtype):
    far = 1e30
    ends = [(-far, far), (-far, 1.0), (-1.0, far), (far, far), (-far, -far), (-far, -1.0), (1.0, far), (1e-30, far)]
    if case.domain == "positive":
        ends = [(a, b) for a, b in ends if a > 0]
    if case.domain == "nonzero":
        ends = [(a, b) for a, b in ends if a > 0 or b < 0]
    low, high = (torch.tensor(end, dtype=dtype) for end in zip(*ends, strict=True))
    assert not any(end.isnan().any() for end in case.curve.image(low, high))
    assert not torch.as_tensor(case.curve.error(low, high)).isnan().any()
    for lines in (
        case.curve.lines(low, high),
        case.curve.free_lines(low, high, torch.full((2, len(ends)), 0.6, dtype=dtype)),
    ):
        assert not any(part.isnan().any() for part in (lines.lower_slope, lines.lower_intercept))
        assert not any(part.isnan().any() for part in (lines.upper_slope, lines.upper_intercept))
        assert all(slope.isfinite().all() for slope in slopes(lines))
        if case.name not in ("exp", "square"):
            assert_around(case, lines, low, high)


@both_dtypes
def test_exponentials_beyond_the_range_are_bounded_by_infinity(dtype):
    low, high = torch.tensor([0.0, 800.0], dtype=dtype), torch.tensor([800.0, 900.0], dtype=dtype)
    lines = Exp().lines(low, high)
    assert torch.equal(lines.upper_intercept, torch.full((2,), math.inf, dtype=dtype))
    assert torch.equal(lines.upper_slope, torch.zeros(2, dtype=dtype))
    assert (at(lines, low, 0) <= torch.exp(low.double())).all()


@both_dtypes
def test_subnormal_widths(dtype):
    tiny = torch.finfo(dtype).tiny
    low = torch.tensor([-tiny / 8, 0.0, -tiny, -3 * tiny], dtype=dtype)
    high = torch.tensor([tiny / 4, tiny / 2, 2 * tiny, 0.0], dtype=dtype)
    for case in CASES:
        if case.domain in ("all", "modest"):
            assert_around(case, case.curve.lines(low, high), low, high)


def test_square_roots_start_at_zero():
    low, high = torch.tensor([0.0, 0.0], dtype=torch.float64), torch.tensor([0.0, 4.0], dtype=torch.float64)
    low.requires_grad_()
    lines = Sqrt().lines(low, high)
    assert lines.lower_slope[1].item() == pytest.approx(0.5)
    assert_around(next(case for case in CASES if case.name == "sqrt"), lines, low, high)
    (gradient,) = torch.autograd.grad(lines.upper_intercept.sum() + lines.lower_slope.sum(), low)
    assert gradient.isfinite().all()


@pytest.mark.parametrize(
    ("curve", "low", "high", "words"),
    [
        (Log(), 0.0, 1.0, r"log on \[0, 1\].*above 0"),
        (Log(), -2.0, 1.0, r"log on \[-2, 1\]"),
        (Rsqrt(), 0.0, 1.0, r"rsqrt on \[0, 1\]"),
        (Sqrt(), -0.5, 1.0, r"sqrt on \[-0.5, 1\].*from 0"),
        (Reciprocal(), -1.0, 2.0, r"reciprocal on \[-1, 2\].*without 0"),
        (Reciprocal(), 0.0, 2.0, r"reciprocal on \[0, 2\]"),
    ],
)
def test_what_leaves_the_domain_is_refused(curve, low, high, words):
    ends = torch.tensor([1.0, low], dtype=torch.float64), torch.tensor([2.0, high], dtype=torch.float64)
    for ask in (curve.lines, curve.image):
        with pytest.raises(RefusedError, match=words):
            ask(*ends)


def test_unknown_choices_and_illegal_options_are_named():
    low, high = torch.tensor([-1.0]), torch.tensor([1.0])
    for case in CASES[:1] + CASES[-3:-2] + [case for case in CASES if case.name in ("tanh", "clamp", "gelu", "kink")]:
        ends = (low, high) if case.domain == "all" else (high, high)
        with pytest.raises(RequestError, match="adaptive"):
            case.curve.lines(*ends, "adaptve")
    with pytest.raises(RefusedError, match="alpha"):
        ELU(-0.5)
    with pytest.raises(RefusedError, match="beta"):
        Softplus(0.0)


@both_dtypes
def test_constants_made_in_inference_mode_can_be_trained_with(dtype):
    """Tables and constants are cached; the mode of whoever asks first must not stick to them."""
    from sparring_plugins.propagation.curves import rounding, swinging, tangents

    rounding.rounding.cache_clear()
    swinging._table.cache_clear()
    tangents._tanh_pieces.cache_clear()
    low = torch.tensor([-1.0], dtype=dtype)
    for curve in (Tanh(), Sigmoid(), GELU(), ReLU()):
        with torch.inference_mode():
            curve.lines(low, low + 3.0)
        trained = low.clone().requires_grad_()
        lines = curve.lines(trained, trained + 3.0)
        (lines.upper_slope.sum() + lines.lower_intercept.sum()).backward()
        assert trained.grad is not None


@both_dtypes
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_ends_that_are_no_numbers_have_no_lines_and_are_no_error(dtype, bad):
    """Tables are looked up by the bits of numbers, which NaN has as well."""
    low, high = torch.tensor([bad, -1.0, -bad], dtype=dtype), torch.tensor([bad, bad, bad], dtype=dtype)
    for curve in (Tanh(), Sigmoid()):
        lines = curve.lines(low, high)
        assert not bool((lines.lower_intercept + lines.upper_intercept).isfinite().any())
