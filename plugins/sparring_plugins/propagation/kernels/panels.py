"""Layers of a run as tables and weights in panels, for products of a piece of the batch; see `passing`.

`given` is what stays the same in a call: the table of layers, the shares by which their boxes are widened, the work
space with its address, how far apart its parts lie, the address of places of lines, bytes of a register, and the
constants 1 and `floor` of the type of numbers. Lines of what is passed on are a whole number of registers long.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_part, number, view_of
from sparring_plugins.propagation.kernels.run_tables import COLUMNS, INPUTS, OUTPUTS, PACKED, WEIGHT
from sparring_plugins.propagation.kernels.strides import SQUARE, turn
from sparring_plugins.propagation.kernels.tiles import product

__all__ = [
    "full", "given_of", "in_full_lines", "multiply", "pack_back", "pack_turned", "part_of", "places_of",
]  # fmt: skip


@exact_part
def given_of(
    table: int, shares: int, space: int, total: int, part: int, places: int, last: int, register: int, floor: float,
    one: Any,
) -> Any:  # fmt: skip
    """`given` of the addresses of a table [last + 1, COLUMNS], shares [last + 1] and a work space [total]."""
    layers = carray(view_of(table, np.int64(0)), (last + 1, COLUMNS))
    return (
        layers, carray(view_of(shares, np.float64(1)), (last + 1,)), carray(view_of(space, one), (total,)), space,
        part, places, register, one, number(floor, one),
    )  # fmt: skip


@exact_part
def places_of(count: int, more: int, given: Any) -> Any:
    """Places of so many lines of a panel, for `product`, and room for more."""
    lines = carray(view_of(given[5], np.int64(0)), (count + more,))
    for k in range(count):
        lines[k] = k * (2 * given[6] // given[2].itemsize)
    return lines


@exact_part
def part_of(first: int, size: int, given: Any) -> Any:
    """Of a part of the work space as many numbers from the first on, and of the next one."""
    numbers, start, end = given[2], first * given[4], (first + 1) * given[4]
    return numbers[start : start + size], numbers[end : end + size]


@exact_part
def full(size: int, register: int, item: int) -> int:
    """Rounded up to full registers."""
    lanes = register // item
    return -(-size // lanes) * lanes


@exact_part
def multiply(
    rows: int, steps: Any, packed: int, out: int, count: int, depth: int, columns: int, absolute: bool, given: Any
) -> None:
    """Write `rows W` for a matrix in panels of two registers; see `tiles.product`."""
    _, _, space, base, _, places, register, one, _ = given
    size, wide = space.itemsize, 2 * register // space.itemsize
    for column in range(0, columns, wide):
        panel, to = base + size * (packed + column * depth), out + size * column
        product(
            rows, panel, to, count, depth, min(wide, columns - column), places, steps, register, size, absolute, True,
            one,
        )  # fmt: skip


@exact_part
def pack_turned(weight: int, m: int, n: int, to: int, given: Any) -> None:
    """A matrix [m, n] turned round, in panels [n, two registers]."""
    _, _, space, base, _, _, register, one, _ = given
    size = space.itemsize
    wide, zero = 2 * register // size, one - one
    matrix = carray(view_of(weight, one), (m, n))
    for first in range(0, m, wide):
        start, count = to + first * n, min(wide, m - first)
        lines, columns = count // SQUARE * SQUARE, n // SQUARE * SQUARE
        turn(weight + size * first * n, base + size * start, lines, columns, (n, wide), size, one)
        for i in range(n):
            for j in range(lines if i < columns else 0, wide):
                space[start + i * wide + j] = matrix[first + j, i] if j < count else zero


@exact_part
def pack_back(row: Any, given: Any) -> None:
    """The weight in panels [outputs, two registers]."""
    _, _, space, _, _, _, register, one, _ = given
    n, m, wide = row[INPUTS], row[OUTPUTS], 2 * register // space.itemsize
    matrix = carray(view_of(row[WEIGHT], one), (m, n))
    for first in range(0, n, wide):
        start, count = row[PACKED] + first * m, min(wide, n - first)
        for j in range(m):
            line, to = matrix[j, first : first + count], space[start + j * wide : start + (j + 1) * wide]
            for i in range(count):
                to[i] = line[i]
            for i in range(count, wide):
                to[i] = one - one


@exact_part
def in_full_lines(values: Any, n: int, step: int, out: Any, zero: Any) -> None:
    """Lines [samples, n] as lines of full registers."""
    for sample in range(values.size // n):
        line, to = values[sample * n : (sample + 1) * n], out[sample * step : (sample + 1) * step]
        for k in range(n):
            to[k] = line[k]
        for k in range(n, step):
            to[k] = zero
