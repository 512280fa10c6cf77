"""Rows of coefficients moved through lines, and what they come to at the input, [batch, rows, n] in one pass.

Where rows are mirrored, `count` rows come in and `2 * count` go out: those for themselves and those for their
negatives. `take` is 0, or the address of the sample (int64) whose lines each entry of the batch has. NaN in a row
makes NaN of what it moves to. See `compiled_rows`, which calls these.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.compiling import number, sum_kernel, view_of

__all__ = [
    "absolute_dot", "along", "along_past", "dot", "middle_and_width", "move", "move_back", "over_boxes", "shares",
]  # fmt: skip


@sum_kernel
def along(row: Any, sign: Any, lines: Any, moved: Any) -> Any:
    """One row times the slope that each coefficient's sign picks; returns the same with intercepts, summed."""
    lower, low_shift, upper, high_shift = lines
    zero = sign - sign
    shift = zero
    for k in range(row.size):
        x = row[k] * sign
        below = x > zero
        slope, other, intercept, end = lower[k], upper[k], low_shift[k], high_shift[k]
        moved[k] = x * (slope if below else other)
        shift += x * (intercept if below else end)
    return shift


@sum_kernel
def along_past(rows: int, lines: int, apart: int, bias: int, moved: int, n: int, one: Any) -> Any:
    """As `along`, and past a bias: its share of what was moved is added to the sum that is returned.

    All are addresses of `n` numbers, and of lines `apart` bytes between the four. Both sums have `n` terms, for which
    room is left; one sum would have twice as many.
    """
    row, to, shift, known = carray(view_of(rows, one), (n,)), carray(view_of(moved, one), (n,)), one - one, one - one
    lower, low_shift = carray(view_of(lines, one), (n,)), carray(view_of(lines + apart, one), (n,))
    upper, high_shift = carray(view_of(lines + 2 * apart, one), (n,)), carray(view_of(lines + 3 * apart, one), (n,))
    move = carray(view_of(bias, one), (n,))
    for k in range(n):
        x = row[k]
        below = x > one - one
        slope, other, intercept, end = lower[k], upper[k], low_shift[k], high_shift[k]
        found = x * (slope if below else other)
        to[k] = found
        shift += x * (intercept if below else end)
        known += found * move[k]
    return shift + known


@sum_kernel
def dot(row: Any, values: Any, zero: Any, wide: Any) -> Any:
    """A product, summed in the type of `wide`."""
    total = wide - wide
    for k in range(row.size):
        total += number(row[k], wide) * number(values[k], wide)
    return number(total, zero)


@sum_kernel
def move(
    rows: int, lower: int, low_shift: int, upper: int, high_shift: int, take: int, bias: int, odd: int, even: int,
    moved: int, known: int, batch: int, samples: int, rows_batch: int, odd_batch: int, even_batch: int, count: int,
    n: int, mirrored: bool, one: Any, wide: Any,
) -> None:  # fmt: skip
    """Move rows through lines.

    Of the arguments:
        rows: [rows_batch (1 or batch), count, n].
        lower, low_shift, upper, high_shift: [samples, n].
        bias: [n] of the layer below, or 0; its share of the moved rows is added to `known`.
        odd, even: 0 or [odd_batch or even_batch (1 or batch), count], known shares that do and do not turn with a
            row's sign.
        moved: [batch, count or 2 * count, n], is written.
        known: [batch, count or 2 * count], is written: `odd` less `even`, with what lines and bias add.
        wide: 1 in the type in which products with the bias are summed.
    """
    after = 2 * count if mirrored else count
    row, out = carray(view_of(rows, one), (rows_batch, count, n)), carray(view_of(moved, one), (batch, after, n))
    below, below_shift = carray(view_of(lower, one), (samples, n)), carray(view_of(low_shift, one), (samples, n))
    above, above_shift = carray(view_of(upper, one), (samples, n)), carray(view_of(high_shift, one), (samples, n))
    total, shift = carray(view_of(known, one), (batch, after)), carray(view_of(bias, one), (n,))
    odds, evens = carray(view_of(odd, one), (odd_batch, count)), carray(view_of(even, one), (even_batch, count))
    samples_of = carray(view_of(take, np.int64(0)), (batch,))
    zero = one - one
    for b in range(batch):
        at = samples_of[b] if take != 0 else b
        lines = (below[at], below_shift[at], above[at], above_shift[at])
        for r in range(count):
            first = odds[b if odd_batch > 1 else 0, r] if odd != 0 else zero
            unsure = evens[b if even_batch > 1 else 0, r] if even != 0 else zero
            for turn in range(2 if mirrored else 1):
                sign = -one if turn else one
                to = r + turn * count
                found = along(row[b if rows_batch > 1 else 0, r], sign, lines, out[b, to])
                if bias != 0:
                    found += dot(out[b, to], shift, zero, wide)
                total[b, to] = found + (first * sign - unsure)


@sum_kernel
def move_back(
    rows: int, lower: int, low_shift: int, upper: int, high_shift: int, take: int, bias: int,
    to_moved: int, to_known: int, to_rows: int, to_lines: int, to_bias: int,
    batch: int, samples: int, rows_batch: int, count: int, n: int, mirrored: bool, one: Any,
) -> None:  # fmt: skip
    """Gradients of what `move` gives.

    Of the arguments:
        to_moved, to_known: gradients at `moved` and `known`.
        to_rows, to_lines, to_bias: zeros, are added to: [rows_batch, count, n], [4, samples, n] in the order of the
            arguments of `move`, and [n] (0 where there is no bias).
    """
    after = 2 * count if mirrored else count
    row, given = carray(view_of(rows, one), (rows_batch, count, n)), carray(view_of(to_moved, one), (batch, after, n))
    below, below_shift = carray(view_of(lower, one), (samples, n)), carray(view_of(low_shift, one), (samples, n))
    above, above_shift = carray(view_of(upper, one), (samples, n)), carray(view_of(high_shift, one), (samples, n))
    weight, shift = carray(view_of(to_known, one), (batch, after)), carray(view_of(bias, one), (n,))
    back, lined = carray(view_of(to_rows, one), (rows_batch, count, n)), carray(view_of(to_lines, one), (4, samples, n))
    biased, samples_of = carray(view_of(to_bias, one), (n,)), carray(view_of(take, np.int64(0)), (batch,))
    space = np.empty(n, row.dtype)
    for b in range(batch):
        at = samples_of[b] if take != 0 else b
        lines = (below[at], below_shift[at], above[at], above_shift[at])
        to = (lined[0, at], lined[1, at], lined[2, at], lined[3, at])
        for r in range(count):
            source, result = row[b if rows_batch > 1 else 0, r], back[b if rows_batch > 1 else 0, r]
            for turn in range(2 if mirrored else 1):
                sign = -one if turn else one
                at_row = r + turn * count
                gradient = given[b, at_row]
                if bias != 0:
                    _bias_back(source, sign, lines, gradient, weight[b, at_row], shift, biased, space)
                    gradient = space
                _along_back(source, sign, lines, gradient, weight[b, at_row], result, to)


@sum_kernel
def _along_back(row: Any, sign: Any, lines: Any, gradient: Any, weight: Any, to_row: Any, to_lines: Any) -> None:
    """Gradients in a row and its lines, from those in the moved row and in what intercepts add.

    In three loops: compilers look for overlaps between arrays, and give up where many are written in one.
    """
    lower, low_shift, upper, high_shift = lines
    to_lower, to_low_shift, to_upper, to_high_shift = to_lines
    zero = sign - sign
    for k in range(row.size):
        below = row[k] * sign > zero
        slope, other, intercept, end = lower[k], upper[k], low_shift[k], high_shift[k]
        to_row[k] += sign * ((slope if below else other) * gradient[k] + (intercept if below else end) * weight)
    for k in range(row.size):
        x = row[k] * sign
        below, moved = x > zero, x * gradient[k]
        to_lower[k] += moved if below else zero
        to_upper[k] += zero if below else moved
    for k in range(row.size):
        x = row[k] * sign
        below, moved = x > zero, x * weight
        to_low_shift[k] += moved if below else zero
        to_high_shift[k] += zero if below else moved


@sum_kernel
def _bias_back(
    row: Any, sign: Any, lines: Any, given: Any, weight: Any, bias: Any, to_bias: Any, gradient: Any
) -> None:
    """Gradient in the bias, and that in the moved row with the bias's share."""
    lower, _, upper, _ = lines
    zero = sign - sign
    for k in range(row.size):
        x, slope, other = row[k] * sign, lower[k], upper[k]
        to_bias[k] += weight * x * (slope if x > zero else other)
    for k in range(row.size):
        gradient[k] = given[k] + weight * bias[k]


@sum_kernel
def shares(
    rows: int, bias: int, error: int, take: int, odd: int, even: int,
    batch: int, samples: int, rows_batch: int, count: int, n: int, one: Any, wide: Any,
) -> None:  # fmt: skip
    """What rows come to at an affine node: `rows b`, and `|rows|` times the rounding there.

    Of the arguments:
        rows: [rows_batch (1 or batch), count, n].
        bias: [n] or 0.
        error: [samples, n] or 0.
        odd: [rows_batch, count], is added to; 0 without a bias.
        even: [batch, count], is added to; 0 without an error.
        wide: as of `move`.
    """
    row, shift = carray(view_of(rows, one), (rows_batch, count, n)), carray(view_of(bias, one), (n,))
    unsure, samples_of = carray(view_of(error, one), (samples, n)), carray(view_of(take, np.int64(0)), (batch,))
    odds, evens = carray(view_of(odd, one), (rows_batch, count)), carray(view_of(even, one), (batch, count))
    zero = one - one
    if bias != 0:
        for b in range(rows_batch):
            for r in range(count):
                odds[b, r] += dot(row[b, r], shift, zero, wide)
    if error != 0:
        for b in range(batch):
            at = samples_of[b] if take != 0 else b
            for r in range(count):
                evens[b, r] += absolute_dot(row[b if rows_batch > 1 else 0, r], unsure[at], zero)


@sum_kernel
def absolute_dot(row: Any, values: Any, zero: Any) -> Any:
    """A product of the row's sizes."""
    total = zero
    for k in range(row.size):
        total += abs(row[k]) * values[k]
    return total


@sum_kernel
def over_boxes(
    rows: int, center: int, radius: int, take: int, odd: int, even: int, found: int,
    batch: int, samples: int, rows_batch: int, odd_batch: int, even_batch: int, count: int, n: int, mirrored: bool,
    coarse: float, least: float, one: Any, wide: Any,
) -> None:  # fmt: skip
    """Least values of rows over boxes, with known shares.

    Of the arguments:
        rows: [rows_batch (1 or batch), count, n].
        center, radius: [samples, n], of the type of `wide`, in which sums are taken.
        odd, even: as of `move`.
        found: [batch, count or 2 * count], is written.
        coarse, least: relative and absolute share by which a wider sum is moved down where it is rounded.
    """
    after = 2 * count if mirrored else count
    row, result = carray(view_of(rows, one), (rows_batch, count, n)), carray(view_of(found, one), (batch, after))
    middles, radii = carray(view_of(center, wide), (samples, n)), carray(view_of(radius, wide), (samples, n))
    odds, evens = carray(view_of(odd, one), (odd_batch, count)), carray(view_of(even, one), (even_batch, count))
    samples_of = carray(view_of(take, np.int64(0)), (batch,))
    zero, share, small = one - one, number(coarse, one), number(least, one)
    for b in range(batch):
        at = samples_of[b] if take != 0 else b
        for r in range(count):
            first = odds[b if odd_batch > 1 else 0, r] if odd != 0 else zero
            unsure = evens[b if even_batch > 1 else 0, r] if even != 0 else zero
            middle, width = middle_and_width(row[b if rows_batch > 1 else 0, r], middles[at], radii[at], wide)
            for turn in range(2 if mirrored else 1):
                sign = -one if turn else one
                bound = number(middle * sign - width, one)
                if coarse != 0:
                    bound -= abs(bound) * share + small
                result[b, r + turn * count] = bound + (first * sign - unsure)


@sum_kernel
def middle_and_width(row: Any, center: Any, radius: Any, wide: Any) -> Any:
    """A row at the centre of a box, and how far it goes from there, summed in the type of `wide`."""
    middle = width = wide - wide
    for k in range(row.size):
        x = number(row[k], wide)
        middle += x * center[k]
        width += abs(x) * radius[k]
    return middle, width
