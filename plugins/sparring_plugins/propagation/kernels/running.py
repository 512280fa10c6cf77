"""A program from its region to its bounds, in one call; see `programs`.

Nothing is allocated here. The work space holds boxes, lines, rows and packed matrices of all steps, wherever the table
says, and nothing in it outlasts the call.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.boxing import box_of_affine, box_of_curve, lines_of_curve, norm_of
from sparring_plugins.propagation.kernels.compiling import exact_kernel, exact_part, number, view_of
from sparring_plugins.propagation.kernels.convolving import pack_convolution
from sparring_plugins.propagation.kernels.descending import descend, put_rows, put_units
from sparring_plugins.propagation.kernels.entering import enter, of_sample
from sparring_plugins.propagation.kernels.strides import SQUARE, turn
from sparring_plugins.propagation.kernels.tables import (
    APART,
    BEHIND,
    BIAS,
    BOX,
    BOX_ON,
    COLUMNS,
    CONVOLUTION,
    CURVE,
    FILTERS,
    FIRST,
    KIND,
    LINEAR,
    NORMS,
    PACKED,
    ROWS,
    ROWS_ON,
    SIZE,
    STEP,
    TIGHTENED,
    TURNED,
)  # fmt: skip

__all__ = ["run"]

CROWN, BOXES = 1, 2


@exact_kernel
def run(
    table: int, parts: int, common: int, weights: int, tangents: int, low: int, high: int, radius: float, spec: int,
    specs: int, found: int, space: int, wider: int, marks: int, places: int, last: int, batch: int, block: int,
    count: int, chunk: int, total: int, room: int, work: int, mode: int, choice: int, register: int, one: Any,
    whole: Any, wide: Any,
) -> None:  # fmt: skip
    """Write [2, batch, count]: bounds of a specification's rows, or of the outputs.

    Of the arguments, which are addresses up to `places`:
        table, parts: [last + 1, ...], whole numbers as in `tables`, and constants for rounding.
        common: more constants, of the type of numbers.
        weights: [last + 1, 2], addresses of matrices and biases, 0 for none.
        tangents: how the table of tangent points is looked up.
        low, high, radius: the region's corners, [batch, features]; for 0 in place of the latter, its centre and radius.
        spec, specs: [specs (1 or batch), count, outputs], or 0.
        space: the work space, [total]; what passes from step to step begins at `work`. Where there is more `room`,
            what the way back needs goes there.
        wider: [2, block, features] in the type of `wide`.
        marks: whole numbers, [2 * (last + 1) + chunk].
        places: where lines of matrices begin, as the table's last columns tell.
        block: samples at a time.
        chunk: most rows at a time, without their negatives.
        mode: 0 for a backward pass from the last step, 1 for passes from inner steps as well, 2 for none.
        one, whole: 1 and 0 in the types of numbers and of whole numbers as wide.
        wide: 1 in the type in which sums over the input are taken.
    """
    long, real = np.int64(0), np.float64(1)
    steps, shares = carray(view_of(table, long), (last + 1, COLUMNS)), carray(view_of(parts, real), (last + 1, 5))
    constants, look = carray(view_of(common, real), (11,)), carray(view_of(tangents, long), (7,))
    matrices, noted = (
        carray(view_of(weights, long), (last + 1, 2)),
        carray(view_of(marks, long), (2 * last + 2 + chunk,)),
    )
    numbers, sums = carray(view_of(space, one), (room,)), total - 6 * chunk
    n, m = steps[0, SIZE], steps[last, SIZE]
    lows, highs = carray(view_of(low, one), (batch, n)), carray(view_of(high, one), (batch, n))
    out, boxes = carray(view_of(found, one), (2, batch, count)), carray(view_of(wider, wide), (2, block, n))
    state = (
        numbers[sums : sums + 2 * chunk], numbers[sums + 2 * chunk : sums + 4 * chunk],
        numbers[sums + 4 * chunk : total], noted[: last + 1], noted[last + 1 : 2 * last + 2],
    )  # fmt: skip
    rest = (noted[2 * last + 2 :], work, register)
    noted[: last + 1] = 0
    for step in range(1, last + 1):
        _pack(steps[step], steps, matrices[step], numbers, space, constants[2], one)
    for first in range(0, batch, block):
        samples = min(block, batch - first)
        given = (steps, shares, constants, matrices, numbers, space, samples, places)
        enter(first, given, lows, highs, high != 0, number(radius, one), wider, block, one, wide)
        for step in range(1, last + 1):
            if steps[step, KIND] >= CURVE:
                if mode != BOXES:
                    lines_of_curve(step, given, look, work, choice, one, whole)
                box_of_curve(step, given, one)
                if steps[step, BEHIND] != 0:
                    _keep(steps[step], first, batch, given)
                continue
            box_of_affine(step, given, work, mode != BOXES, register, one)
            if mode == CROWN and steps[step, TIGHTENED] != 0:
                _tighten(step, given, boxes, state, rest, one, wide)
        if mode == BOXES:
            _write_boxes(steps[last, BOX], numbers, samples, out[:, first : first + samples])
            continue
        for sample in range(samples):
            rows = 0
            if spec != 0:
                rows = spec + numbers.itemsize * ((first + sample) * count * m if specs > 1 else 0)
            # Rows stand where the last sample left them, unless something else has stood there since.
            stay = first + sample > 0 and mode != CROWN and count <= chunk
            _least(
                last, given, sample, of_sample(boxes, sample, n), rows, False, stay, state, rest,
                out[0, first + sample], out[1, first + sample], one, wide,
            )  # fmt: skip
            _go_on(steps, ROWS, ROWS_ON, room > total)
        _go_on(steps, BOX, BOX_ON, room > total)


@exact_part
def _go_on(steps: Any, place: int, on: int, kept: bool) -> None:
    """To where the next rows or boxes go; where nothing is kept the table is not this call's own."""
    if kept:
        steps[:, place] += steps[:, on]


@exact_part
def _write_boxes(start: int, numbers: Any, samples: int, out: Any) -> None:
    size = out.shape[2]
    for side in range(2):
        for sample in range(samples):
            at = start + (side * samples + sample) * size
            for place in range(size):
                out[side, sample, place] = numbers[at + place]


@exact_part
def _keep(row: Any, first: int, batch: int, given: Any) -> None:
    """Boxes behind a curve, [2, batch, ...] of all samples."""
    numbers, samples, m = given[4], given[6], row[SIZE]
    for side in range(2):
        for sample in range(samples):
            source = row[BOX] + (side * samples + sample) * m
            to = row[BEHIND] + (side * batch + first + sample) * row[APART]
            for k in range(m):
                numbers[to + k] = numbers[source + k]


@exact_part
def _tighten(step: int, given: Any, boxes: Any, state: Any, rest: Any, one: Any, wide: Any) -> None:
    """Bound units of a linear step backward: all of them, or those that may be negative and positive."""
    steps, numbers, samples = given[0], given[4], given[6]
    m, start = steps[step, SIZE], steps[step, BOX]
    for sample in range(samples):
        low, high = start + sample * m, start + (samples + sample) * m
        _least(
            step, given, sample, of_sample(boxes, sample, steps[0, SIZE]), 0, steps[step, TIGHTENED] == 1, False, state,
            rest, numbers[low : low + m], numbers[high : high + m], one, wide,
        )  # fmt: skip


@exact_part
def _least(
    step: int, given: Any, sample: int, box: Any, rows: int, crossing: bool, stay: bool, state: Any, rest: Any,
    low: Any, high: Any, one: Any, wide: Any,
) -> None:  # fmt: skip
    """Write bounds [count] of rows [count, size] at a step, or of its units, a few at a time.

    Where `crossing`, those alone that may be negative and positive by the bounds that are there. `stay` as of
    `put_units`.
    """
    (units, work, register), kinds, some, zero = rest, given[0][:, KIND], 0, one - one
    starts = rows == 0 and kinds[step] == LINEAR
    for unit in range(low.size):
        if not crossing or (low[unit] < zero and high[unit] > zero):
            units[some] = unit
            some += 1
        if some == units.size or (unit == low.size - 1 and some > 0):
            if starts:
                put_units(step, given, units[:some], sample, stay and kinds[given[0][step, FIRST]] >= CURVE, state, one)
            else:
                put_rows(step, given, rows, units[:some], state, one)
            descend(step - 1 if starts else step, 2 * some, given, sample, box, state, work, register, one, wide)
            for place in range(some):
                low[units[place]], high[units[place]] = state[2][place], -state[2][some + place]
            some = 0


@exact_part
def _pack(row: Any, steps: Any, weight: Any, numbers: Any, space: int, least: float, one: Any) -> None:
    """A bias for each element, copies of a linear step's matrix, and the norms of its lines.

    In one copy the lines are as far apart as rows are, and one is turned round.
    """
    if row[BIAS] >= 0:
        count = row[FILTERS] if row[KIND] == CONVOLUTION else row[SIZE]
        each, shift = row[SIZE] // count, carray(view_of(weight[1], one), (count,))
        for j in range(row[SIZE]):
            numbers[row[BIAS] + j] = shift[j // each]
    if row[KIND] == CONVOLUTION:
        pack_convolution(row, weight, numbers, one)
    if row[KIND] != LINEAR:
        return
    source = steps[row[FIRST]]
    n, m, zero = source[SIZE], row[SIZE], one - one
    matrix = carray(view_of(weight[0], one), (m, n))
    if row[PACKED] >= 0:
        for j in range(m):
            for i in range(source[STEP]):
                numbers[row[PACKED] + j * source[STEP] + i] = matrix[j, i] if i < n else zero
    if row[TURNED] >= 0:
        size, square = numbers.itemsize, (m // SQUARE * SQUARE, n // SQUARE * SQUARE)
        turn(weight[0], space + size * row[TURNED], square[0], square[1], (n, row[STEP]), size, one)
        for i in range(n):
            for j in range(square[0] if i < square[1] else 0, row[STEP]):
                numbers[row[TURNED] + i * row[STEP] + j] = matrix[j, i] if j < m else zero
        for j in range(m):
            numbers[row[NORMS] + j] = norm_of(matrix[j], least, one)
