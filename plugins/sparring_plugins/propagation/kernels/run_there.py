"""Boxes through a run of layers, a piece of the batch at a time; see `passing` and `panels`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.boxes import middle_and_reach
from sparring_plugins.propagation.kernels.compiling import exact_kernel, exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.panels import (
    full,
    given_of,
    in_full_lines,
    multiply,
    pack_turned,
    part_of,
    places_of,
)  # fmt: skip
from sparring_plugins.propagation.kernels.run_tables import (
    BIAS,
    CURVE,
    INPUTS,
    KEPT,
    OUTPUTS,
    PACKED,
    PARTS,
    RELU,
    TANH,
    TO_STEP,
    WEIGHT,
)  # fmt: skip
from sparring_plugins.propagation.kernels.s_values import sigmoids, tanhs

__all__ = ["there"]


@exact_kernel
def there(
    table: int, shares: int, center: int, reach: int, found: int, kept: int, room: int, space: int, total: int,
    part: int, places: int, last: int, batch: int, piece: int, register: int, floor: float, one: Any,
) -> None:  # fmt: skip
    """Write boxes behind all layers.

    Of the arguments, which are addresses up to `places` but for sizes:
        table, shares: as `panels.given_of` takes them.
        center, reach: of the input, [batch, inputs] (see `ends`).
        found: [2, batch, outputs], is written: ends, or values of the last curve at them.
        kept, room: [room], boxes behind each curve but the last, [2, batch, full registers]; or 0 to keep none.
        space, total, part: the work space, [total], of which a part is what a piece has at the widest layer.
        places: of whole numbers, as many as the most inputs of a layer.
        piece: the most samples at a time.
    """
    given = given_of(table, shares, space, total, part, places, last, register, floor, one)
    layers, size, n = given[0], given[2].itemsize, given[0][0, INPUTS]
    places_of(layers[:, INPUTS].max(), 0, given)
    boxes, m = carray(view_of(kept, one), (room,)), layers[last, OUTPUTS]
    out = carray(view_of(found, one), (2, batch, m))
    for layer in range(last + 1):
        row = layers[layer]
        pack_turned(row[WEIGHT], row[OUTPUTS], row[INPUTS], row[PACKED], given)
    for first in range(0, batch, piece):
        count, step = min(piece, batch - first), n
        source, reached = center + size * first * n, reach + size * first * n
        for layer in range(last + 1):
            row, wide = layers[layer], layers[layer, TO_STEP]
            below, above = part_of(2, count * wide, given)
            low, high = part_of(4, count * wide, given)
            if kept != 0 and layer < last:
                begin, end = row[KEPT] + first * wide, row[KEPT] + (batch + first) * wide
                low, high = boxes[begin : begin + count * wide], boxes[end : end + count * wide]
            if row[CURVE] <= RELU:
                _bend(layer, source, reached, step, count, low, high, given)
            else:
                _bend(layer, source, reached, step, count, below, above, given)
                _curve(row[CURVE], below, low, one)
                _curve(row[CURVE], above, high, one)
            if layer == last:
                for sample in range(count):
                    for k in range(m):
                        out[0, first + sample, k] = low[sample * wide + k]
                        out[1, first + sample, k] = high[sample * wide + k]
            else:
                stretch = number(1.0 + 1.0 / given[1][layer + 1], one)
                middle_and_reach(low, high, below, above, stretch, given[8], one - one)
                source, reached, step = space + size * 2 * part, space + size * 3 * part, wide


@exact_part
def _bend(layer: int, source: int, reached: int, step: int, count: int, low: Any, high: Any, given: Any) -> None:
    """Ends of boxes behind a layer, and behind ReLU, by its products with centres and reaches as parts 0 and 1."""
    layers, errors, numbers, space, part, _, register, one, floor = given
    row, share, size = layers[layer], number(errors[layer], one), numbers.itemsize
    m, wide, columns = row[OUTPUTS], row[TO_STEP], full(row[OUTPUTS], register, size)
    multiply(source, (step, wide, 1), row[PACKED], space, count, row[INPUTS], columns, False, given)
    multiply(reached, (step, wide, 1), row[PACKED], space + size * part, count, row[INPUTS], columns, True, given)
    bias = numbers[PARTS * part : PARTS * part + wide]
    for k in range(wide):
        bias[k] = one - one
    if row[BIAS] != 0:
        in_full_lines(carray(view_of(row[BIAS], one), (m,)), m, wide, bias, one - one)
    (middle, width), least = part_of(0, count * wide, given), one - one if row[CURVE] == RELU else -number(np.inf, one)
    for start in range(0, count * wide, wide):
        end = start + wide
        _ends(middle[start:end], width[start:end], bias, share, floor, least, low[start:end], high[start:end])


@sum_part
def _ends(middle: Any, width: Any, bias: Any, share: Any, floor: Any, least: Any, low: Any, high: Any) -> None:
    """No less than `least`; what is no number stays none."""
    for k in range(bias.size):
        at, apart = middle[k] + bias[k], share * (width[k] + (abs(bias[k]) + floor))
        below, above = at - apart, at + apart
        low[k], high[k] = least if below < least else below, least if above < least else above


@exact_part
def _curve(kind: int, given: Any, values: Any, one: Any) -> None:
    """Values of an S-shaped curve; what is no number stays none."""
    if kind == TANH:
        tanhs(given, values, one)
    else:
        sigmoids(given, values, one)
