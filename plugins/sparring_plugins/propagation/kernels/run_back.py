"""Gradients of boxes back through a run of layers, a piece of the batch at a time; see `passing` and `panels`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.boxes import middle_and_reach
from sparring_plugins.propagation.kernels.compiling import exact_kernel, exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.panels import (
    full,
    given_of,
    in_full_lines,
    multiply,
    pack_back,
    part_of,
    places_of,
)  # fmt: skip
from sparring_plugins.propagation.kernels.run_tables import (
    CURVE,
    INPUTS,
    KEPT,
    MORE,
    OUTPUTS,
    PACKED,
    RELU,
    STEP,
    SUM,
    TANH,
    TO_BIAS,
    TO_STEP,
    TO_WEIGHT,
    WEIGHT,
)  # fmt: skip
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["way_back"]


@exact_kernel
def way_back(
    table: int, shares: int, center: int, reach: int, to_low: int, to_high: int, kept: int, room: int, to_both: int,
    space: int, total: int, part: int, places: int, last: int, batch: int, piece: int, register: int, floor: float,
    one: Any,
) -> None:  # fmt: skip
    """Write gradients in weights and biases, and those in the input's corners.

    Of the arguments, beside those of `run_there.there`:
        to_low, to_high: gradients in the ends behind the last layer, before its curve, [batch, outputs].
        kept: what that kept.
        to_both: [2, batch, inputs], or 0.
        places: for the most units of a layer, and for as many as a piece has samples.
    """
    given = given_of(table, shares, space, total, part, places, last, register, floor, one)
    layers, size, boxes = given[0], given[2].itemsize, carray(view_of(kept, one), (room,))
    most, n = layers[:, OUTPUTS].max(), layers[0, INPUTS]
    lines = places_of(most, piece, given)
    for layer in range(last + 1):
        if layer > 0 or to_both != 0:
            pack_back(layers[layer], given)
    for first in range(0, batch, piece):
        count, at = min(piece, batch - first), 0
        _enter(to_low, to_high, first, count, batch, last, given)
        for layer in range(last, -1, -1):
            row, step = layers[layer], layers[layer, STEP]
            wide, low, high = row[TO_STEP], boxes[:0], boxes[:0]
            if layer > 0:
                begin = layers[layer - 1, KEPT] + first * step
                end = begin + batch * step
                low, high = boxes[begin : begin + count * step], boxes[end : end + count * step]
            start = size * first * n
            _inputs(layer, row[TO_WEIGHT] != 0, center + start, reach + start, low, high, count, given)
            _sums(row, at, count, lines[most:], places + 8 * most, first == 0, given)
            if layer == 0 and to_both == 0:
                break
            to, columns = 2 - at, full(row[INPUTS], register, size)
            for side in range(2):
                source, out = space + size * (at + side) * part, space + size * (to + side) * part
                multiply(source, (wide, step, 1), row[PACKED], out, count, row[OUTPUTS], columns, side == 1, given)
            at, (middle, radius) = to, part_of(to, count * step, given)
            if layer > 0:
                _slopes_back(layers[layer - 1, CURVE], low, high, middle, radius, one)
                if layers[layer - 1, MORE] != 0:
                    _add_more(layers[layer - 1], middle, radius, first, batch, one)
            else:
                _leave(middle, radius, step, carray(view_of(to_both, one), (2, batch, n)), first, one)
    for layer in range(last + 1):
        if layers[layer, TO_WEIGHT] != 0:
            _to_weight(layers[layer], given[1][layer], given)


@exact_part
def _enter(to_low: int, to_high: int, first: int, count: int, batch: int, last: int, given: Any) -> None:
    """Gradients in centre and radius behind the last layer as parts 0 and 1."""
    one, m = given[7], given[0][last, OUTPUTS]
    below, above = carray(view_of(to_low, one), (batch, m)), carray(view_of(to_high, one), (batch, m))
    wide = given[0][last, TO_STEP]
    middle, radius = part_of(0, count * wide, given)
    for sample in range(count):
        start = sample * wide
        for k in range(m):
            x, y = below[first + sample, k], above[first + sample, k]
            middle[start + k], radius[start + k] = y + x, y - x


@exact_part
def _add_more(row: Any, middle: Any, radius: Any, first: int, batch: int, one: Any) -> None:
    """Gradients in the ends behind a layer that come from elsewhere."""
    m, wide = row[OUTPUTS], row[TO_STEP]
    more = carray(view_of(row[MORE], one), (2, batch, m))
    for sample in range(middle.size // wide):
        start = sample * wide
        for k in range(m):
            x, y = more[0, first + sample, k], more[1, first + sample, k]
            middle[start + k] += y + x
            radius[start + k] += y - x


@exact_part
def _leave(middle: Any, radius: Any, step: int, corners: Any, first: int, one: Any) -> None:
    """Gradients in the corners from those in centre and radius."""
    half, n = number(0.5, one), corners.shape[2]
    for sample in range(middle.size // step):
        for k in range(n):
            x, y = middle[sample * step + k] * half, radius[sample * step + k] * half
            corners[0, first + sample, k], corners[1, first + sample, k] = x - y, x + y


@exact_part
def _inputs(layer: int, wanted: bool, center: int, reach: int, low: Any, high: Any, count: int, given: Any) -> None:
    """Centres and reaches of a layer's input as parts 4 and 5, where these are wanted."""
    one, n = given[7], given[0][layer, INPUTS]
    step = given[0][layer, STEP]
    inner, outer = part_of(4, count * step, given)
    if wanted and layer > 0:
        middle_and_reach(low, high, inner, outer, number(1.0 + 1.0 / given[1][layer], one), given[8], one - one)
    elif wanted:
        in_full_lines(carray(view_of(center, one), (count * n,)), n, step, inner, one - one)
        in_full_lines(carray(view_of(reach, one), (count * n,)), n, step, outer, one - one)


@exact_part
def _sums(row: Any, at: int, count: int, lines: Any, places: int, fresh: bool, given: Any) -> None:
    """Sums over samples of gradients, as parts from `at` on, and of gradients times inputs."""
    _, _, numbers, space, part, _, register, one, _ = given
    size, m = numbers.itemsize, row[OUTPUTS]
    wide, step = row[TO_STEP], row[STEP]
    if row[TO_BIAS] != 0:
        total = carray(view_of(row[TO_BIAS], one), (m,))
        if fresh:
            for k in range(m):
                total[k] = one - one
        _add_up(part_of(at, count * wide, given)[0], wide, total)
    if row[TO_WEIGHT] == 0:
        return
    for k in range(count):
        lines[k] = k * step
    for side in range(2):
        product(
            space + size * (at + side) * part, space + size * (4 + side) * part,
            space + size * (row[SUM] + side * m * step), m, count, full(row[INPUTS], register, size), places,
            (1, step, wide), register, size, False, fresh, one,
        )  # fmt: skip


@sum_part
def _slopes_back(kind: int, low: Any, high: Any, middle: Any, radius: Any, one: Any) -> None:
    """Gradients in centre and radius behind a curve, whose values are `low` and `high`, become those before it."""
    zero, half = one - one, number(0.5, one)
    if kind == RELU:
        for k in range(low.size):
            below = (middle[k] - radius[k]) * (half if low[k] > zero else zero)
            above = (middle[k] + radius[k]) * (half if high[k] > zero else zero)
            middle[k], radius[k] = above + below, above - below
    else:
        for k in range(low.size):
            x, y = low[k], high[k]
            first = one - x * x if kind == TANH else x * (one - x)
            second = one - y * y if kind == TANH else y * (one - y)
            below, above = (middle[k] - radius[k]) * (half * first), (middle[k] + radius[k]) * (half * second)
            middle[k], radius[k] = above + below, above - below


@sum_part
def _add_up(values: Any, step: int, total: Any) -> None:
    """Add lines a step apart to `total`, as many numbers of each as that has."""
    for start in range(0, values.size, step):
        line = values[start : start + total.size]
        for k in range(total.size):
            total[k] += line[k]


@exact_part
def _to_weight(row: Any, share: float, given: Any) -> None:
    """Write sums over all pieces: products with centres, and a share of those with reaches, signed as the weight."""
    space, one = given[2], given[7]
    n, m, step = row[INPUTS], row[OUTPUTS], row[STEP]
    weight, found = carray(view_of(row[WEIGHT], one), (m, n)), carray(view_of(row[TO_WEIGHT], one), (m, n))
    part, zero = number(share, one), one - one
    for j in range(m):
        start = row[SUM] + j * step
        own, apart = space[start : start + n], space[start + m * step : start + m * step + n]
        _signed(weight[j], own, apart, part, found[j], zero)


@exact_part
def _signed(weight: Any, own: Any, apart: Any, share: Any, found: Any, zero: Any) -> None:
    for k in range(weight.size):
        w = weight[k]
        more = share * apart[k]
        found[k] = own[k] + (more if w > zero else -more if w < zero else zero)
