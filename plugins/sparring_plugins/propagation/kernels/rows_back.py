"""Gradients of a run's backward bounds, by way of its rows, a block of samples at a time; see `row_plans`.

Rows that come to each curve were kept on their way, and boxes before it; lines around the curve are made anew. With `x`
a row's number at a curve, `g` the gradient in what becomes of it there, by way of the layer below, `w` that in the
row's bound, `s` and `t` slope and intercept of the line that the sign of `x` picks, and `b` the bias of that layer:

    to x: s g + w (s b + t),    to s: x g + w x b,    to t: w x,    to b: w x s.

The gradient of the layer's weight is the product of rows behind the curve and gradients in them behind the layer.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.boxing import lines_of_curve
from sparring_plugins.propagation.kernels.compiling import exact_kernel, exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.entering import enter, of_sample
from sparring_plugins.propagation.kernels.panels import full, multiply, pack_turned
from sparring_plugins.propagation.kernels.row_lines import back_to_ends, back_to_rows, moved_rows, row_at
from sparring_plugins.propagation.kernels.tables import (
    ACROSS,
    APART,
    BOX,
    BOX_ON,
    COLUMNS,
    DEPTHS,
    PANELS,
    SIZE,
    SUMS,
)  # fmt: skip
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["rows_back"]


@exact_kernel
def rows_back(
    table: int, parts: int, common: int, weights: int, targets: int, areas: int, tangents: int, low: int, high: int,
    radius: float, given: int, tops: int, to_box: int, space: int, wider: int, places: int, depths: int, last: int,
    batch: int, block: int, count: int, room: int, work: int, shared: bool, choice: int, register: int, one: Any,
    whole: Any, wide: Any,
) -> None:  # fmt: skip
    """Write gradients of bounds [batch, count] of rows and of their negatives, which are half of them.

    Of the arguments, beside those of `running.run`:
        targets: [last + 1, 3], for each linear step but the last addresses of gradients in weight and bias, and of
            those in the ends of boxes before its curve, [2, batch, size].
        areas: of the work space, where gradients in rows begin, moved rows, gradients in lines and in ends, and three
            lines so far apart: [6].
        given: gradients in the bounds.
        tops: [batch, count / 2, ...] or, where rows of all samples are the same (`shared`), [1, ...], are written:
            gradients in rows at the last curve, less those in their negatives.
        to_box: [2, batch, features], gradients in centre and radius, or 0.
        depths: where lines of rows begin, as the table tells; `places` are those of panels.
    """
    long, real = np.int64(0), np.float64(1)
    steps, shares = carray(view_of(table, long), (last + 1, COLUMNS)), carray(view_of(parts, real), (last + 1, 5))
    constants, look = carray(view_of(common, real), (11,)), carray(view_of(tangents, long), (7,))
    matrices, wanted = carray(view_of(weights, long), (last + 1, 2)), carray(view_of(targets, long), (last + 1, 3))
    numbers, n, top = carray(view_of(space, one), (room,)), steps[0, SIZE], last - 1
    lows, highs = carray(view_of(low, one), (batch, n)), carray(view_of(high, one), (batch, n))
    boxes, where = carray(view_of(wider, wide), (2, block, n)), carray(view_of(areas, long), (6,))
    weight, region = carray(view_of(given, one), (batch, count)), carray(view_of(to_box, one), (2, batch, n))
    m = steps[top, SIZE]
    found = carray(view_of(tops, one), (1 if shared else batch, count // 2, m))
    panels = (0, 0, numbers, space, 0, places, register, one, 0)
    for step in range(1, top, 2):
        pack_turned(matrices[step, 0], steps[step, SIZE], steps[step - 1, SIZE], steps[step, PANELS], panels)
    if shared:
        found[:] = one - one
    for first in range(0, batch, block):
        samples = min(block, batch - first)
        state = (steps, shares, constants, matrices, numbers, space, samples, places)
        enter(first, state, lows, highs, high != 0, number(radius, one), wider, block, one, wide)
        given_here = weight[first : first + samples]
        for sample in range(samples):
            center, reach = of_sample(boxes, sample, n)
            _start(first + sample, sample, state, where, given_here[sample], center, reach, region, to_box != 0, one)
        for step in range(1, top, 2):
            lines_of_curve(step + 1, state, look, work, choice, one, whole)
            _through(step, first, state, where, given_here, wanted, panels, depths, one)
            back_to_ends(step, first, batch, state, where, wanted, look, work, choice, one, whole)
        for sample in range(samples):
            to = found[0 if shared else first + sample]
            for unit in range(count // 2):
                own = where[0] + (sample * count + unit) * steps[top, APART]
                turned = own + count // 2 * steps[top, APART]
                _less(numbers[own : own + m], numbers[turned : turned + m], shared, to[unit])
        steps[:, BOX] += steps[:, BOX_ON]
    for step in range(1, top, 2):
        _leave(step, steps, wanted, numbers, register, one)


@exact_part
def _start(
    own: int, sample: int, state: Any, where: Any, weight: Any, center: Any, reach: Any, region: Any, to_region: bool,
    one: Any,
) -> None:  # fmt: skip
    """Gradients in a sample's rows at the input, and in its box."""
    steps, numbers = state[0], state[4]
    n = steps[0, SIZE]
    if to_region:
        region[0, own], region[1, own] = one - one, one - one
    for place in range(weight.size):
        start, to = row_at(0, own, place, steps), where[0] + (sample * weight.size + place) * steps[0, APART]
        row = numbers[start : start + n]
        _at_corner(row, weight[place], center, reach, numbers[to : to + n], one)
        if to_region:
            _to_box(row, weight[place], region[0, own], region[1, own])


@sum_part
def _at_corner(row: Any, weight: Any, center: Any, reach: Any, to: Any, one: Any) -> None:
    zero = one - one
    for k in range(row.size):
        x, apart = row[k], number(reach[k], one)
        to[k] = weight * (number(center[k], one) - (apart if x > zero else -apart if x < zero else zero))


@sum_part
def _to_box(row: Any, weight: Any, center: Any, reach: Any) -> None:
    for k in range(row.size):
        center[k] += weight * row[k]
    for k in range(row.size):
        reach[k] -= weight * abs(row[k])


@exact_part
def _through(
    step: int, first: int, state: Any, where: Any, given: Any, wanted: Any, panels: Any, depths: int, one: Any
) -> None:
    """From gradients in rows below a linear step to those in rows above the curve behind it, and in its lines."""
    steps, numbers, base, samples = state[0], state[4], state[5], state[6]
    size, register, count = numbers.itemsize, panels[6], given.shape[1]
    m, n, wide, apart = steps[step, SIZE], steps[step - 1, SIZE], steps[step, APART], steps[step - 1, APART]
    depth, to_rows, moved = samples * count, base + size * where[0], base + size * where[1]
    moved_rows(step, first, count, state, where, one)
    if wanted[step, 0] != 0:
        rows, lines, places = moved, to_rows, (1, full(n, register, size), wide)
        lengths = (m, full(n, register, size))
        if steps[step, ACROSS] != 0:
            rows, lines, places = to_rows, moved, (1, full(m, register, size), apart)
            lengths = (n, full(m, register, size))
        product(
            rows, lines, base + size * steps[step, SUMS], lengths[0], depth, lengths[1],
            depths + 8 * steps[step, DEPTHS], places, register, size, False, first == 0, one,
        )  # fmt: skip
    columns = full(m, register, size)
    multiply(to_rows, (apart, wide, 1), steps[step, PANELS], moved, depth, n, columns, False, panels)
    for sample in range(samples):
        back_to_rows(step, first, sample, state, where, given[sample], wanted, one)


@exact_part
def _less(own: Any, turned: Any, added: bool, to: Any) -> None:
    if added:
        for k in range(to.size):
            to[k] += own[k] - turned[k]
    else:
        for k in range(to.size):
            to[k] = own[k] - turned[k]


@exact_part
def _leave(step: int, steps: Any, wanted: Any, numbers: Any, register: int, one: Any) -> None:
    """Sums over samples become a weight's gradient."""
    if wanted[step, 0] == 0:
        return
    m, n, size = steps[step, SIZE], steps[step - 1, SIZE], numbers.itemsize
    found, start = carray(view_of(wanted[step, 0], one), (m, n)), steps[step, SUMS]
    turned = steps[step, ACROSS] != 0
    wide = full(m if turned else n, register, size)
    for j in range(m):
        for i in range(n):
            found[j, i] = numbers[start + (i * wide + j if turned else j * wide + i)]
