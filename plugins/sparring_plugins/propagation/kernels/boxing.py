"""Boxes and lines of a program's steps, a few samples at a time.

Of a step's boxes the least values of all samples come first, then the greatest, then the errors: [3, samples, size].
`given` is what stays the same in a block of samples: the tables of steps, shares and constants, the addresses of
weights, the work space with its address, how many samples there are, and the address of the places of lines. The
formulas are those of `kernels.boxes` and `kernels.lines`, which are called for them wherever they fit.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.boxes import linear_ends, middle_and_reach
from sparring_plugins.propagation.kernels.compiling import exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.convolving import box_of_convolution
from sparring_plugins.propagation.kernels.lines import relu_lines, tanh_lines, tanh_points
from sparring_plugins.propagation.kernels.s_values import sigmoids, tanhs
from sparring_plugins.propagation.kernels.tables import (
    BOX,
    CONVOLUTION,
    FIRST,
    KIND,
    LINEAR,
    LINES,
    MEAN,
    NORMS,
    RELU,
    SECOND,
    SIZE,
    STEP,
    SUM,
    TANH,
    THERE,
    TURNED,
)  # fmt: skip
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["box_of_affine", "box_of_curve", "lines_of_curve", "norm_of"]

SMALLEST = float(np.finfo(np.float64).tiny)


@exact_part
def box_of_affine(step: int, given: Any, work: int, errors: bool, register: int, one: Any) -> None:
    """Boxes of an affine step, with errors where these are asked for."""
    table, parts, common, weights, space, base, samples, _ = given
    row = table[step]
    if row[KIND] == CONVOLUTION:
        box_of_convolution(row, given, parts[step], weights[step], work, errors, register, one)
        return
    if row[KIND] == LINEAR:
        if row[TURNED] >= 0:
            _through_turned(row, given, parts[step], weights[step], work, errors, register, one)
            return
        start, size = base, space.itemsize
        source = table[row[FIRST]]
        low = start + size * source[BOX]
        linear_ends(
            low, low + size * samples * source[SIZE], False, weights[step, 0], weights[step, 1],
            start + size * row[BOX], samples, source[SIZE], row[SIZE], parts[step, 0], 0.0, common[0],
            parts[step, 1] if errors else 0.0, parts[step, 2], one,
        )  # fmt: skip
        return
    for sample in range(samples):
        if row[KIND] == SUM:
            _box_of_sum(row, table, parts[step], common, space, sample, samples, one)
        else:
            _box_of_mean(row, table, parts[step], common, space, work, sample, samples, one)


@exact_part
def _part(space: Any, start: int, samples: int, size: int, kind: int, sample: int) -> Any:
    """Least (0) or greatest values (1) or errors (2) of one sample."""
    first = start + (kind * samples + sample) * size
    return space[first : first + size]


@sum_part
def norm_of(line: Any, least: float, one: Any) -> Any:
    """No less than the Euclidean norm, but for its last rounding: `least` stands for what squares lose below it."""
    total = line.size * SMALLEST
    for k in range(line.size):
        total += float(line[k]) * float(line[k])
    return number(math.sqrt(total) + least, one)


@sum_part
def _norm_of_sizes(low: Any, high: Any, least: float, one: Any) -> Any:
    """`norm_of` the largest absolute values of a box."""
    total = low.size * SMALLEST
    for k in range(low.size):
        x, y = float(-low[k]), float(high[k])
        size = y if y > x else x
        total += size * size
    return number(math.sqrt(total) + least, one)


@sum_part
def _through_turned(
    row: Any, given: Any, part: Any, weight: Any, work: int, errors: bool, register: int, one: Any
) -> None:
    """Through a linear layer whose matrix was turned round, by products: as `kernels.boxes.linear_ends`.

    Errors are a little greater than there: a line's norm times that of the sizes is no less than their product.
    """
    table, _, common, _, space, base, samples, places = given
    source = table[row[FIRST]]
    n, m, wide, size = source[SIZE], row[SIZE], row[STEP], space.itemsize
    share, unsure, tiny = number(part[0], one), number(part[1], one), number(part[2], one)
    floor, stretch, zero = number(common[0], one), number(1.0 + 1.0 / part[0], one), one - one
    out = work + 2 * samples * n
    for sample in range(samples):
        low, high = _part(space, source[BOX], samples, n, 0, sample), _part(space, source[BOX], samples, n, 1, sample)
        center, reach = _part(space, work, samples, n, 0, sample), _part(space, work, samples, n, 1, sample)
        middle_and_reach(low, high, center, reach, stretch, floor, zero)
    steps, matrix, lines = (n, wide, 1), base + size * row[TURNED], places + 8 * row[THERE]
    for side in range(2):
        rows, to = base + size * (work + side * samples * n), base + size * (out + side * samples * wide)
        product(rows, matrix, to, samples, n, m, lines, steps, register, size, side == 1, True, one)
    shift, norms = carray(view_of(weight[1], one), (m,)), space[row[NORMS] : row[NORMS] + m]
    for sample in range(samples):
        middle, width = _part(space, out, samples, wide, 0, sample), _part(space, out, samples, wide, 1, sample)
        low, high = _part(space, row[BOX], samples, m, 0, sample), _part(space, row[BOX], samples, m, 1, sample)
        error, norm = _part(space, row[BOX], samples, m, 2 if errors else 1, sample), zero
        if errors:
            bottom, top = source[BOX] + sample * n, source[BOX] + (samples + sample) * n
            norm = _norm_of_sizes(space[bottom : bottom + n], space[top : top + n], common[2], one)
        for j in range(m):
            move = shift[j] if weight[1] != 0 else zero
            bulk = abs(move)
            apart = share * (width[j] + (bulk if bulk > floor else floor))
            if errors:
                error[j] = tiny + unsure * (norms[j] * norm + bulk)
            low[j], high[j] = middle[j] + move - apart, middle[j] + move + apart


@sum_part
def _box_of_sum(row: Any, table: Any, part: Any, common: Any, space: Any, sample: int, samples: int, one: Any) -> None:
    """Of two steps added or subtracted, of which one may have a single element."""
    m, first, second = row[SIZE], table[row[FIRST]], table[row[SECOND]]
    share, unsure, tiny = number(part[0], one), number(part[1], one), number(part[2], one)
    stretch, floor, half = number(1.0 + 1.0 / part[0], one), number(common[0], one), number(0.5, one)
    low, high = _part(space, row[BOX], samples, m, 0, sample), _part(space, row[BOX], samples, m, 1, sample)
    error = _part(space, row[BOX], samples, m, 2, sample)
    for j in range(m):
        middle, width, size = one - one, floor, one - one
        for side in range(2):
            source = second if side else first
            n = source[SIZE]
            k = j if n > 1 else 0
            x = _part(space, source[BOX], samples, n, 0, sample)[k]
            y = _part(space, source[BOX], samples, n, 1, sample)[k]
            center, most = x + (y - x) * half, y if y > -x else -x
            middle += center * number(part[3 + side], one)
            bulk = abs(center)
            width += (bulk if bulk > floor else floor) + stretch * (y - center)
            size += most
        low[j], high[j] = middle - share * width, middle + share * width
        error[j] = tiny + unsure * size


@sum_part
def _box_of_mean(
    row: Any, table: Any, part: Any, common: Any, space: Any, work: int, sample: int, samples: int, one: Any
) -> None:
    """Of a sum or mean over all elements, or of what is left of each when their mean is taken away."""
    m, source = row[SIZE], table[row[FIRST]]
    n = source[SIZE]
    share, unsure, tiny, factor = (
        number(part[0], one), number(part[1], one), number(part[2], one), number(part[3], one)
    )  # fmt: skip
    floor, stretch = number(common[0], one), number(1.0 + 1.0 / part[0], one)
    low, high = _part(space, source[BOX], samples, n, 0, sample), _part(space, source[BOX], samples, n, 1, sample)
    center, reach = space[work : work + n], space[work + n : work + 2 * n]
    middle_and_reach(low, high, center, reach, stretch, floor, one - one)
    middle = width = size = one - one
    for k in range(n):
        x, y = -low[k], high[k]
        middle += center[k]
        width += reach[k]
        size += y if y > x else x
    middle, width, size = middle / factor, width / factor, size / factor
    below, above = _part(space, row[BOX], samples, m, 0, sample), _part(space, row[BOX], samples, m, 1, sample)
    error = _part(space, row[BOX], samples, m, 2, sample)
    if row[KIND] == MEAN:
        below[0], above[0] = middle - share * (width + floor), middle + share * (width + floor)
        error[0] = tiny + unsure * size
        return
    rest = one - (one + one) / factor
    for k in range(n):
        x, y = -low[k], high[k]
        own, apart = center[k] - middle, share * (width + rest * reach[k] + floor)
        below[k], above[k] = own - apart, own + apart
        error[k] = tiny + unsure * (size + rest * (y if y > x else x))


@exact_part
def lines_of_curve(step: int, given: Any, tangents: Any, work: int, choice: int, one: Any, whole: Any) -> None:
    """Lines around a curve for all samples, [4, samples, size], which hold the error of the affine step below."""
    table, parts, common, _, space, base, samples, _ = given
    row = table[step]
    below, count = table[row[FIRST]], samples * row[SIZE]
    start, size = base, space.itemsize
    low, lines = start + size * below[BOX], start + size * row[LINES]
    high, error = low + size * count, low + 2 * size * count
    if row[KIND] == RELU:
        relu_lines(
            low, high, error, lines, count, choice, common[1], common[2], common[3], common[4], parts[step, 0],
            parts[step, 1], one,
        )  # fmt: skip
        return
    scale = 1.0 if row[KIND] == TANH else 0.5
    tanh_points(
        low, high, tangents[0], tangents[1], start + size * work, count, tangents[2], scale, common[5], tangents[3],
        tangents[4], tangents[5], tangents[6], one, whole,
    )  # fmt: skip
    values = work + 5 * count
    tanhs(space[work:values], space[values : values + 5 * count], one)
    tanh_lines(
        start + size * work, start + size * values, error, lines, count, scale, common[6], common[7], common[2],
        common[3], common[4], parts[step, 0], parts[step, 1], one,
    )  # fmt: skip


@exact_part
def box_of_curve(step: int, given: Any, one: Any) -> None:
    """Images of boxes, widened by how inexactly a curve is computed (see `nodes.Elementwise.interval`)."""
    table, _, common, _, space, _, samples, _ = given
    row = table[step]
    below, count, zero = table[row[FIRST]], samples * row[SIZE], one - one
    ends, out = space[below[BOX] : below[BOX] + 2 * count], space[row[BOX] : row[BOX] + 2 * count]
    if row[KIND] == RELU:
        for k in range(2 * count):
            out[k] = zero if ends[k] < zero else ends[k]
        return
    if row[KIND] == TANH:
        tanhs(ends, out, one)
    else:
        sigmoids(ends, out, one)
    gap, tiny = number(4.0 * common[6], one), number(common[2], one)
    for k in range(count):
        x, y = ends[k], ends[count + k]
        largest = out[count + k]
        if row[KIND] == TANH:
            largest = y if y > -x else -x
            largest = one if largest > one else largest
        out[k] -= tiny + largest * gap
        out[count + k] += tiny + largest * gap
