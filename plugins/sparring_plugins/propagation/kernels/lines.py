"""Lines around ReLU and S-shaped curves, moved outward for rounding, each in one pass over the intervals.

The formulas are those of `curves.relu`, `curves.tanh` and `outward`, where they are explained and proved; these give
the same lines but for the last digits. An interval that is infinite or no number makes NaN of its intercepts.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_kernel, number, view_of
from sparring_plugins.propagation.kernels.tanh_back import tanh_lines_back

__all__ = ["relu_lines", "relu_lines_back", "tanh_lines", "tanh_lines_back", "tanh_points"]


@exact_kernel
def relu_lines(
    low: int, high: int, error: int, lines: int, size: int, choice: int,
    up: float, tiny: float, floor: float, few: float, least: float, share: float, one: Any,
) -> None:  # fmt: skip
    """Write [4, size]: slope and intercept of the lower line, then of the upper one.

    Of the arguments:
        low, high: [size].
        error: rounding at the curve's input for each unit of slope, [size], or 0 for `floor`.
        choice: of the lower slope where unstable: 0 the smaller area, 1 that of the chord, 2 zero, 3 one.
        up: lifts a product of two roundings above its true value.
        tiny: smallest normal number.
        few, least, share: `gamma(0)`, and `tiny` and `gamma` of the terms of a sum over intercepts.
    """
    lows, highs = carray(view_of(low, one), (size,)), carray(view_of(high, one), (size,))
    errors, out = carray(view_of(error, one), (size,)), carray(view_of(lines, one), (4, size))
    lift, small, bottom = number(up, one), number(tiny, one), number(floor, one)
    little, count_least, count_share = number(few, one), number(least, one), number(share, one)
    zero, half = one - one, number(0.5, one)
    for k in range(size):
        x, y = lows[k], highs[k]
        above, below = y if y > zero else zero, x if x < zero else zero
        width = above - below
        part = above / (width if width > small else small)
        slope = part * lift
        slope = slope if slope < one else one
        intercept = -(below * slope * lift)
        if choice == 0:
            free = one if part > half else zero
        elif choice == 1:
            free = slope
        elif choice == 2:
            free = one if part >= one else zero
        else:
            free = one if part > zero else zero
        slack = (errors[k] if error != 0 else bottom) + little * (y if y > -x else -x)
        spoilt = (y - x) * zero
        out[0, k], out[2, k] = free, slope
        out[1, k] = -(count_least + free * slack) - spoilt
        out[3, k] = intercept + (count_least + count_share * intercept + slope * slack + spoilt)


@exact_kernel
def relu_lines_back(
    low: int, high: int, to_slope: int, to_shift: int, ends: int, size: int, tiny: float, one: Any
) -> None:
    """Write [2, size]: gradients in `low` and `high`, from those in slope and intercept of the upper line."""
    lows, highs = carray(view_of(low, one), (size,)), carray(view_of(high, one), (size,))
    sloped, shifted = carray(view_of(to_slope, one), (size,)), carray(view_of(to_shift, one), (size,))
    out, zero, small = carray(view_of(ends, one), (2, size)), one - one, number(tiny, one)
    for k in range(size):
        x, y = lows[k], highs[k]
        below = x if x < zero else zero
        width = (y if y > zero else zero) - below
        width = width if width > small else small
        slope = (y if y > zero else zero) / width
        # The intercept is -below times the slope.
        turned = (sloped[k] - below * shifted[k]) / width
        out[0, k] = turned * slope - slope * shifted[k] if x < zero else zero
        out[1, k] = turned * (one - slope) if y > zero else zero


@exact_kernel
def tanh_points(
    low: int, high: int, intercepts: int, slopes: int, points: int, size: int, pieces: int,
    scale: float, narrow: float, mask: int, nearest: int, farthest: int, shift: int, one: Any, whole: Any,
) -> None:  # fmt: skip
    """Write [5, size]: where the hyperbolic tangent is wanted for `tanh_lines`.

    These are the scaled ends, the width (no less than `narrow`) and the points where the tangents touch below and
    above; the table of tangent points, [pieces], is explained in `curves.tangents`.

    Of the arguments:
        mask: takes the sign off a number's bits.
        nearest, farthest, shift: bits of the least and the greatest distance in the table, and how many of a
            number's bits do not count.
    """
    lows, highs = carray(view_of(low, one), (size,)), carray(view_of(high, one), (size,))
    starts, rises = carray(view_of(intercepts, one), (pieces,)), carray(view_of(slopes, one), (pieces,))
    out, bits = carray(view_of(points, one), (5, size)), carray(view_of(points, whole), (5, size))
    factor, least, half, zero = number(scale, one), number(narrow, one), number(0.5, one), one - one
    first = nearest >> shift
    for k in range(size):
        out[0, k] = lows[k] * factor
        out[1, k] = highs[k] * factor
    for k in range(size):
        x, y = out[0, k], out[1, k]
        width = y - x
        middle = x + width * half
        out[2, k] = width if width > least else least
        # Below: the line above the curve on [-y, -x], turned round.
        for side in range(2):
            left, right = (x, y) if side else (-y, -x)
            distance = bits[1 - side, k] & mask
            distance = distance if distance < farthest else farthest
            distance = distance if distance > nearest and left < zero else nearest
            piece = (distance >> shift) - first
            center = middle if side else -middle
            touch = starts[piece] + rises[piece] * left
            touch = touch if touch > center else center
            out[3 + side, k] = touch if touch < right else right


@exact_kernel
def tanh_lines(
    points: int, values: int, error: int, lines: int, size: int, scale: float,
    eps: float, slack: float, tiny: float, floor: float, few: float, least: float, share: float, one: Any,
) -> None:  # fmt: skip
    """Write [4, size], as `relu_lines` does, for tanh (scale 1) or the logistic sigmoid (scale 1/2).

    Of the arguments:
        points, values: [5, size] of `tanh_points`, and the hyperbolic tangent there.
        error, floor, few, least, share: as of `relu_lines`.
        slack: by how much an intercept may round, relative to the values at the ends.
    """
    at, value = carray(view_of(points, one), (5, size)), carray(view_of(values, one), (5, size))
    errors, out = carray(view_of(error, one), (size,)), carray(view_of(lines, one), (4, size))
    gap, quad = number(eps, one), number(4.0 * eps, one)
    ulps, small, bottom = number(slack, one), number(tiny, one), number(floor, one)
    little, count_least, count_share = number(few, one), number(least, one), number(share, one)
    zero, half, logistic = one - one, number(0.5, one), scale != 1.0
    steep, back = number(scale * scale, one), number(1.0 / scale, one)
    for k in range(size):
        x, y, at_x, at_y = at[0, k], at[1, k], value[0, k], value[1, k]
        chord = value[2, k] / at[2, k] * (one - at_x * at_y)
        big, other = abs(at_x), abs(at_y)
        big, other = (big, other) if big > other else (other, big)
        reach = (big + half * other) * ulps  # no less than sqrt(big^2 + other^2)
        spoilt = (y - x) * zero
        size_x = (y if y > -x else -x) * back
        unsure = (errors[k] if error != 0 else bottom) + little * size_x
        if logistic:
            inexact = small + (half * (one + at_y) + gap) * quad
        else:
            inexact = small + (size_x if size_x < one else one) * quad
        for side in range(2):
            left, right = (x, y) if side else (-y, -x)
            at_left, at_right = (at_x, at_y) if side else (-at_y, -at_x)
            touch, height = at[3 + side, k], value[3 + side, k]
            slope = chord if one - at_right * at_right >= chord else one - height * height
            found, end, over = at_left - slope * left, at_right - slope * right, height - slope * touch
            found = found if found > end else end
            found = (found if found > over else over) + reach
            if logistic:
                slope, found = slope * steep, half * found + gap
                shift = half + found if side else half - found
            else:
                shift = found if side else -found
            moved = count_least + count_share * abs(shift) + slope * unsure + inexact + spoilt
            out[2 * side, k] = slope
            out[2 * side + 1, k] = shift + moved if side else shift - moved
