"""Rows of coefficients from a step of a program down to its input, for one sample; see `backward.Backward`.

Rows stand for themselves from the start, and for their negatives others do. What they have come to so far is held in
two parts as there, `odd` and `even`, [rows]. These make up `state`, with the least values in the end, and with marks
for each step: whether rows stand there, and whether its bias is counted. `given` is as in `boxing`.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.convolving import rows_through_convolution
from sparring_plugins.propagation.kernels.moving import absolute_dot, along, along_past, dot, middle_and_width
from sparring_plugins.propagation.kernels.tables import (
    BACK,
    BIAS,
    BOX,
    CONVOLUTION,
    CURVE,
    FIRST,
    KIND,
    LINEAR,
    LINES,
    MEAN,
    ROWS,
    SECOND,
    SIZE,
    STEP,
    SUM,
    TURNED,
    UNSURE,
)  # fmt: skip
from sparring_plugins.propagation.kernels.thinning import apart_from_registers, matrix_of, only_alive
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["descend", "put_rows", "put_units"]


@exact_part
def put_units(step: int, given: Any, units: Any, sample: int, stay: bool, state: Any, one: Any) -> None:
    """Rows of chosen units of a linear step, and then of their negatives, at that step's input.

    Where they `stay`, they are known to stand there still.
    """
    table, _, _, weights, space, _, samples, _ = given
    odd, even, _, here, _ = state
    row = table[step]
    source, count, m = table[row[FIRST]], units.size, row[SIZE]
    n = source[SIZE]
    matrix = carray(view_of(weights[step, 0], one), (m, n))
    error = row[BOX] + (2 * samples + sample) * m
    for place in range(count):
        unit = units[place]
        if not stay:
            own, turned = source[ROWS] + place * source[STEP], source[ROWS] + (count + place) * source[STEP]
            _put(matrix[unit], space[own : own + n], space[turned : turned + n])
        move = space[row[BIAS] + unit] if row[BIAS] >= 0 else one - one
        odd[place], odd[count + place] = move, -move
        even[place] = even[count + place] = space[error + unit]
    here[row[FIRST]] = True


@exact_part
def _put(line: Any, own: Any, turned: Any) -> None:
    for k in range(line.size):
        own[k] = line[k]
    for k in range(line.size):
        turned[k] = -line[k]


@exact_part
def put_rows(step: int, given: Any, rows: int, units: Any, state: Any, one: Any) -> None:
    """Chosen rows of a specification [*, size], or of the identity, and then their negatives, at a step."""
    table, space, (odd, even, _, here, _) = given[0], given[4], state
    row, count = table[step], units.size
    n = row[SIZE]
    for place in range(count):
        unit = units[place]
        own, turned = row[ROWS] + place * row[STEP], row[ROWS] + (count + place) * row[STEP]
        lines = carray(view_of(rows, one), (unit + 1, n))
        for k in range(n):
            value = lines[unit, k] if rows != 0 else (one if k == unit else one - one)
            space[own + k], space[turned + k] = value, -value
        odd[place] = odd[count + place] = even[place] = even[count + place] = one - one
    here[step] = True


@exact_part
def descend(
    top: int, count: int, given: Any, sample: int, box: Any, state: Any, work: int, register: int, one: Any, wide: Any
) -> None:
    """Write least values [count] of rows that were put at steps up to `top`, of which nothing is left there."""
    table, _, common, _, space, _, _, _ = given
    odd, even, least, here, counted = state
    for step in range(top + 1):
        counted[step] = False
    for step in range(top, 0, -1):
        if here[step]:
            here[step] = False
            if table[step, KIND] >= CURVE:
                _through_curve(step, count, given, sample, state, one)
            else:
                if not counted[step] or table[step, UNSURE]:
                    _count(step, count, given, sample, state, one)
                _through_affine(step, count, given, sample, state, work, register, one)
    here[0] = False
    source, zero, coarse = table[0], one - one, number(common[8], one)
    for place in range(count):
        start = source[ROWS] + place * source[STEP]
        middle, width = middle_and_width(space[start : start + source[SIZE]], box[0], box[1], wide)
        bound = number(middle - width, one)
        if coarse != zero:
            bound -= abs(bound) * coarse + number(common[3], one)
        least[place] = bound + (odd[place] - even[place])


@exact_part
def _through_curve(step: int, count: int, given: Any, sample: int, state: Any, one: Any) -> None:
    """Through lines and past the bias of the affine step below, on which nothing else stands."""
    table, _, _, _, space, base, samples, _ = given
    odd, even, _, here, counted = state
    row = table[step]
    below, n, zero, size = table[row[FIRST]], row[SIZE], one - one, space.itemsize
    start, apart, bias = row[LINES] + sample * n, samples * n, below[BIAS]
    past = bias >= 0 and below[KIND] == LINEAR
    lines = (
        space[start : start + n], space[start + apart : start + apart + n],
        space[start + 2 * apart : start + 2 * apart + n], space[start + 3 * apart : start + 3 * apart + n],
    )  # fmt: skip
    for place in range(count):
        own, to = row[ROWS] + place * row[STEP], below[ROWS] + place * below[STEP]
        if past:
            found = along_past(
                base + size * own, base + size * start, size * apart, base + size * bias, base + size * to, n, one
            )
        else:
            found = along(space[own : own + n], one, lines, space[to : to + n])
            if bias >= 0:  # more terms than the layer's errors are made for
                found += dot(space[to : to + n], space[bias : bias + n], zero, 1.0)
        odd[place], even[place] = found + (odd[place] - even[place]), zero
    counted[row[FIRST]] = here[row[FIRST]] = True


@exact_part
def _count(step: int, count: int, given: Any, sample: int, state: Any, one: Any) -> None:
    """Add what rows come to at an affine step: a bias that is not counted yet, and the error where no lines hold it."""
    table, _, _, _, space, _, samples, _ = given
    odd, even, _, _, counted = state
    row = table[step]
    n, zero, bias = row[SIZE], one - one, max(0, row[BIAS])
    shift = space[bias : bias + n]
    error = row[BOX] + (2 * samples + sample) * n
    for place in range(count):
        start = row[ROWS] + place * row[STEP]
        coefficients = space[start : start + n]
        if row[BIAS] >= 0 and not counted[step]:
            odd[place] += dot(coefficients, shift, zero, 1.0)
        if row[UNSURE]:
            even[place] += absolute_dot(coefficients, space[error : error + n], zero)


@exact_part
def _through_affine(
    step: int, count: int, given: Any, sample: int, state: Any, work: int, register: int, one: Any
) -> None:
    """Rows times the matrix, added to what stands at the inputs."""
    table, parts, _, _, space, base, _, places = given
    row, here = table[step], state[3]
    source = table[row[FIRST]]
    if row[KIND] == LINEAR:
        start, size, fresh = base, space.itemsize, not here[row[FIRST]]
        if fresh and only_alive(step, count, given, sample, state, work, register, one):
            return
        here[row[FIRST]] = True
        alone = apart_from_registers(row, source, register // size)
        product(
            start + size * row[ROWS], matrix_of(step, given), start + size * source[ROWS], count, row[SIZE],
            source[SIZE] - alone, places + 8 * row[BACK], (row[STEP], source[STEP], 1), register, size, False, fresh,
            one,
        )  # fmt: skip
        if alone > 0:
            _last_columns(row, source, alone, count, space, fresh, one)
        return
    _clear(row[FIRST], count, table, space, here, one)
    if row[KIND] == CONVOLUTION:
        rows_through_convolution(row, source, count, given, work, register, one)
    elif row[KIND] == SUM:
        _clear(row[SECOND], count, table, space, here, one)
        _share_out(row, source, count, space, number(parts[step, 3], one), one)
        _share_out(row, table[row[SECOND]], count, space, number(parts[step, 4], one), one)
    else:
        _spread_out(row, source, count, space, number(parts[step, 3], one), one)


@exact_part
def _last_columns(row: Any, source: Any, alone: int, count: int, space: Any, fresh: bool, one: Any) -> None:
    """Columns that would leave a register next to empty, from the matrix that was turned round."""
    n = row[SIZE]
    for column in range(source[SIZE] - alone, source[SIZE]):
        turned = row[TURNED] + column * row[STEP]
        line = space[turned : turned + n]
        for place in range(count):
            start, to = row[ROWS] + place * row[STEP], source[ROWS] + place * source[STEP] + column
            found = dot(space[start : start + n], line, one - one, one)
            space[to] = found if fresh else space[to] + found


@exact_part
def _clear(step: int, count: int, table: Any, space: Any, here: Any, one: Any) -> None:
    """Zeros where nothing stands yet."""
    if not here[step]:
        here[step] = True
        start, end = table[step, ROWS], table[step, ROWS] + count * table[step, STEP]
        rows = space[start:end]
        for k in range(rows.size):
            rows[k] = one - one


@sum_part
def _share_out(row: Any, source: Any, count: int, space: Any, sign: Any, one: Any) -> None:
    """To one of two that were added: a sum where it had a single element."""
    for place in range(count):
        given, to = row[ROWS] + place * row[STEP], source[ROWS] + place * source[STEP]
        if source[SIZE] == row[SIZE]:
            for k in range(row[SIZE]):
                space[to + k] += sign * space[given + k]
        else:
            total = one - one
            for k in range(row[SIZE]):
                total += space[given + k]
            space[to] += sign * total


@sum_part
def _spread_out(row: Any, source: Any, count: int, space: Any, factor: Any, one: Any) -> None:
    """From a sum or mean to all elements; the matrix of what a mean is taken from is symmetric."""
    for place in range(count):
        given, to = row[ROWS] + place * row[STEP], source[ROWS] + place * source[STEP]
        total = one - one
        for k in range(row[SIZE]):
            total += space[given + k]
        total = total / factor
        for k in range(source[SIZE]):
            space[to + k] += total if row[KIND] == MEAN else space[given + k] - total
