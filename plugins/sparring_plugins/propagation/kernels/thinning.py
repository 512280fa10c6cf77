"""Rows through a linear step to those units alone that the ReLU below it lets through, and on from there.

`given`, `state` and rows are as in `descending`.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.alive import alive
from sparring_plugins.propagation.kernels.chosen_lines import through_chosen
from sparring_plugins.propagation.kernels.compiling import exact_part, view_of
from sparring_plugins.propagation.kernels.dots import chosen_product, pays, turned_product
from sparring_plugins.propagation.kernels.panels import full
from sparring_plugins.propagation.kernels.tables import (
    BIAS,
    BOX,
    CHOSEN,
    FIRST,
    KIND,
    LINES,
    MORE,
    PACKED,
    RELU,
    ROWS,
    SIZE,
    STEP,
    TURNED,
)  # fmt: skip
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["apart_from_registers", "matrix_of", "only_alive"]


@exact_part
def matrix_of(step: int, given: Any) -> int:
    """Where a linear step's matrix lies."""
    table, _, _, weights, space, base, _, _ = given
    return weights[step, 0] if table[step, PACKED] < 0 else base + space.itemsize * table[step, PACKED]


@exact_part
def apart_from_registers(row: Any, source: Any, lanes: int) -> int:
    """How many columns of a linear step's matrix are taken one by one, the last ones."""
    over = source[SIZE] % lanes
    return over if row[TURNED] >= 0 and over <= MORE else 0


@exact_part
def only_alive(step: int, count: int, given: Any, sample: int, state: Any, work: int, register: int, one: Any) -> bool:
    """Move rows from a linear step to where nothing stands yet, if that is a ReLU with few units alive; whether it is.

    They stand at the ReLU then or, where the table has a place for rows of chosen units, at the input of the next
    linear step.
    """
    table, _, _, _, space, _, _, _ = given
    row = table[step]
    source = table[row[FIRST]]
    if row[TURNED] < 0 or source[KIND] != RELU:
        return False
    chosen = _alive(table[source[FIRST]], sample, given, work, one)
    if not pays(chosen.size, source[SIZE], row[SIZE], register // space.itemsize):
        return False
    for place in range(count if row[SIZE] < row[STEP] else 0):  # up to a full register
        space[row[ROWS] + place * row[STEP] + row[SIZE] : row[ROWS] + (place + 1) * row[STEP]] = one - one
    if source[CHOSEN] < 0 or chosen.size == 0:
        state[3][row[FIRST]] = True
        _to_alive(row, source, chosen, count, given, one)
    else:
        _past_alive(row, source, chosen, count, given, sample, state, register, one)
    return True


@exact_part
def _alive(below: Any, sample: int, given: Any, work: int, one: Any) -> Any:
    """Units of the affine step before a ReLU that may be positive there, or whose ends are no numbers."""
    _, _, _, _, space, base, samples, _ = given
    n, size, to = below[SIZE], space.itemsize, base + space.itemsize * work
    low, high = below[BOX] + sample * n, below[BOX] + (samples + sample) * n
    some = alive(base + size * low, base + size * high, n, to, size, one)
    return carray(view_of(to, np.int64(0)), (some,))


@exact_part
def _to_alive(row: Any, source: Any, chosen: Any, count: int, given: Any, one: Any) -> None:
    """Rows times the matrix for chosen columns; the others are zero, as the ReLU there is."""
    _, _, _, _, space, base, _, _ = given
    size = space.itemsize
    space[source[ROWS] : source[ROWS] + count * source[STEP]] = one - one
    chosen_product(
        base + size * row[ROWS], base + size * row[TURNED], base + size * source[ROWS], count, row[SIZE], chosen,
        (row[STEP], source[STEP]), row[STEP], size, one,
    )  # fmt: skip


@exact_part
def _past_alive(
    row: Any, source: Any, chosen: Any, count: int, given: Any, sample: int, state: Any, register: int, one: Any
) -> None:
    """The same, on through the lines of the ReLU, which nothing else stands on, and through the linear step below it.

    Rows at chosen units stand close together, turned round; what they come to stands behind them.
    """
    table, _, _, _, space, base, samples, _ = given
    odd, even, _, here, _ = state
    size, below = space.itemsize, table[source[FIRST]]
    entry, lanes, some, n = table[below[FIRST]], register // size, chosen.size, source[SIZE]
    wide = full(count, register, size)
    start, end = source[CHOSEN], source[CHOSEN] + some * wide
    space[start:end] = one - one
    turned_product(
        base + size * row[ROWS], base + size * row[TURNED], base + size * start, count, row[SIZE], chosen,
        (row[STEP], wide), row[STEP], size, one,
    )  # fmt: skip
    line, apart = base + size * (source[LINES] + sample * n), size * samples * n
    more = apart_from_registers(below, entry, lanes)
    last = base + size * (below[TURNED] + (entry[SIZE] - 1) * below[STEP])
    through_chosen(
        base + size * start, chosen.ctypes.data, some, wide,
        (line, line + apart, line + 2 * apart, line + 3 * apart, base + size * below[BIAS]),
        (last - (more - 1) * size * below[STEP], last), more, base + size * end, lanes, size, one,
    )  # fmt: skip
    fresh, step = not here[below[FIRST]], entry[STEP] if below[PACKED] >= 0 else entry[SIZE]
    here[below[FIRST]] = True
    for place in range(count):
        odd[place], even[place] = space[end + place] + (odd[place] - even[place]), one - one
        for column in range(more):
            to = entry[ROWS] + place * entry[STEP] + entry[SIZE] - more + column
            found = space[end + (1 + column) * wide + place]
            space[to] = found if fresh else space[to] + found
    for place in range(some):
        chosen[place] *= step
    product(
        base + size * start, matrix_of(source[FIRST], given), base + size * entry[ROWS], count, some,
        entry[SIZE] - more, chosen.ctypes.data, (1, entry[STEP], wide), register, size, False, fresh, one,
    )  # fmt: skip
