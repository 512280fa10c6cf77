"""Products of a few rows with chosen lines of a matrix that was turned round.

A tile of `tiles.product` takes columns as they lie, a register at a time. Where many are not wanted (units behind which
a curve is flat), each of the others is a product of two lines here: a tile of sums stays in registers while these pass,
and in the end each sum's parts are added up. They are written where they belong, or turned round and close together.
"""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sparring_plugins.propagation.kernels.compiling import exact_part
from sparring_plugins.propagation.kernels.tables import LANES
from sparring_plugins.propagation.kernels.tiles import register, sums_of_products

__all__ = ["chosen_product", "pays", "turned_product"]

_INDEX = ir.IntType(64)
WIDTH = 2
"""Lines of the matrix at a time."""
ENDING = 4
"""Registers of a line that pass in the time in which a sum's parts are added up."""
NONE = -1
_Sums = tuple[Any, list[int]]
"""A vector, and which sum stands, or has parts, in each of its lanes."""


def _tile(height: int, turned: bool) -> Any:
    """Products of so many rows with `WIDTH` lines, those of one line behind each other where they are `turned`."""

    @intrinsic
    def tile(typing_context: Any, rows: Any, lines: Any, out: Any, depth: Any, steps: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(signature.args[-1])
            _generate(builder, kind, like.bitwidth, arguments, height, turned)
            return context.get_dummy_value()

        pair = types.UniTuple(types.int64, WIDTH)
        return types.void(types.int64, pair, pair, types.int64, pair, like), generate

    return tile


def _generate(builder: Any, kind: Any, bits: int, arguments: Any, height: int, turned: bool) -> None:
    lanes = register() * 8 // bits
    vector = ir.VectorType(kind, lanes)
    rows, lines, out, depth, steps, _ = arguments
    row_step, out_step = (builder.extract_value(steps, place) for place in range(2))
    pointer = kind.as_pointer()
    lines = [builder.inttoptr(builder.extract_value(lines, place), pointer) for place in range(WIDTH)]
    out = [builder.inttoptr(builder.extract_value(out, place), pointer) for place in range(WIDTH)]
    rows = builder.inttoptr(rows, pointer)
    begins = [builder.gep(rows, [builder.mul(row_step, _INDEX(row))]) for row in range(height)]

    def at(start: Any, offset: Any) -> Any:
        return builder.load(builder.bitcast(builder.gep(start, [offset]), vector.as_pointer()), align=bits // 8)

    def factors(turn: Any) -> list[tuple[Any, Any]]:
        matrix, given = [at(line, turn) for line in lines], [at(begin, turn) for begin in begins]
        return [(given[row], matrix[line]) for row, line in cells]

    cells = [(row, line) for row in range(height) for line in range(WIDTH)]
    after = sums_of_products(builder, [ir.Constant(vector, None)] * len(cells), depth, lanes, factors)
    found = _added_up(builder, after, lanes, 128 // bits)
    if turned:
        for line in range(WIDTH):
            sums = _picked(builder, found, [cells.index((row, line)) for row in range(height)])
            builder.store(sums, builder.bitcast(out[line], sums.type.as_pointer()), align=bits // 8)
        return
    for vector, owners in found:
        for lane, owner in enumerate(owners):
            if owner != NONE:
                row, line = cells[owner]
                place = builder.gep(out[line], [builder.mul(out_step, _INDEX(row))])
                builder.store(builder.extract_element(vector, ir.IntType(32)(lane)), place)


def _added_up(builder: Any, parts: list[Any], lanes: int, block: int) -> list[_Sums]:
    """Vectors of the sums of all lanes of each part.

    Two vectors become one of twice as many sums with half as many parts each, until these are single numbers.
    """
    found, chunk = [(part, [number] * lanes) for number, part in enumerate(parts)], lanes // 2
    while chunk:
        if len(found) % 2:
            found.append((ir.Constant(parts[0].type, None), [NONE] * lanes))
        order = _even_chunks(chunk, block if chunk < block else lanes, lanes)
        found = [_merged(builder, *pair, order, chunk) for pair in zip(found[::2], found[1::2], strict=True)]
        chunk //= 2
    return found


def _picked(builder: Any, found: list[_Sums], wanted: list[int]) -> Any:
    """One vector of these sums."""
    order, whole = range(len(wanted)), None
    for vector, owners in found:
        lanes = [owners.index(number) if number in owners else NONE for number in wanted]
        part = builder.shuffle_vector(vector, vector, _places([max(lane, 0) for lane in lanes]))
        if whole is not None:
            there = [place if lane == NONE else place + len(wanted) for place, lane in zip(order, lanes, strict=True)]
            part = builder.shuffle_vector(whole, part, _places(there))
        whole = part
    return whole


def _places(lanes: list[int]) -> Any:
    return ir.Constant(ir.VectorType(ir.IntType(32), len(lanes)), lanes)


def _even_chunks(chunk: int, around: int, lanes: int) -> list[int]:
    """Of two vectors the chunks at even places, those of one block (`around`) together.

    Chunks smaller than 16 bytes stay in their block of these: whole registers are shuffled so at once.
    """
    blocks = range(0, lanes, around)
    even = [lane for lane in range(lanes) if lane // chunk % 2 == 0]
    return [lane + side for start in blocks for side in (0, lanes) for lane in even if start <= lane < start + around]


def _merged(builder: Any, first: _Sums, second: _Sums, order: list[int], chunk: int) -> _Sums:
    """Chunks at even places added to those at odd ones."""
    shuffled = [
        builder.shuffle_vector(first[0], second[0], _places(places))
        for places in (order, [lane + chunk for lane in order])
    ]
    return builder.fadd(*shuffled), [(first[1] + second[1])[lane] for lane in order]


def _band(height: int, turned: bool) -> Any:
    """Products of so many rows with all lines that are chosen; the last one is taken twice where it has no other."""
    tile = _tile(height, turned)

    @exact_part
    def band(
        rows: int, matrix: int, out: int, depth: int, chosen: Any, steps: Any, apart: int, size: int, one: Any
    ) -> None:
        for place in range(0, chosen.size, WIDTH):
            other = min(place + 1, chosen.size - 1)
            first, second = chosen[place], chosen[other]
            lines = matrix + size * apart * first, matrix + size * apart * second
            to = (place * steps[1], other * steps[1]) if turned else (first, second)
            tile(rows, lines, (out + size * to[0], out + size * to[1]), depth, steps, one)

    return band


MOST, FEW, PAIR = 12 if register() == LANES else 6, 6, 2
"""Rows of a tile. The most fill three quarters of the registers with their sums; a row comes with its negative."""


def _bands(turned: bool) -> Any:
    """Products of all rows."""
    most, few, pair = (_band(height, turned) for height in (MOST, FEW, PAIR))

    @exact_part
    def bands(
        rows: int, matrix: int, out: int, count: int, depth: int, chosen: Any, steps: Any, apart: int, size: int,
        one: Any,
    ) -> None:  # fmt: skip
        while count > 0:
            high = MOST if count >= MOST else FEW if count >= FEW else PAIR
            if high == MOST:
                most(rows, matrix, out, depth, chosen, steps, apart, size, one)
            elif high == FEW:
                few(rows, matrix, out, depth, chosen, steps, apart, size, one)
            else:
                pair(rows, matrix, out, depth, chosen, steps, apart, size, one)
            count, rows = count - high, rows + size * high * steps[0]
            out += size * high * (1 if turned else steps[1])

    return bands


_as_they_lie, _turned = _bands(False), _bands(True)


@exact_part
def pays(chosen: int, columns: int, depth: int, lanes: int) -> bool:
    """Whether so many products of lines are quicker than a product with all columns."""
    return chosen * (depth + ENDING * lanes) <= columns * depth


@exact_part
def chosen_product(
    rows: int, matrix: int, out: int, count: int, depth: int, chosen: Any, steps: Any, apart: int, size: int, one: Any
) -> None:
    """Write `rows matrix[chosen].T` to the chosen columns of `out`.

    Of the arguments:
        rows, matrix, out: addresses of [count, depth], [*, depth] and [count, *]; the count is even.
        depth: rows and lines of the matrix are read up to full registers: there, one has zeros and the other numbers.
        chosen: which lines of the matrix, and columns of `out`.
        steps: how far apart `rows` begin, and those of `out`.
        apart: the same for lines of the matrix.
        size: bytes of a number.
    """
    _as_they_lie(rows, matrix, out, count, depth, chosen, steps, apart, size, one)


@exact_part
def turned_product(
    rows: int, matrix: int, out: int, count: int, depth: int, chosen: Any, steps: Any, apart: int, size: int, one: Any
) -> None:
    """Write `matrix[chosen] rows.T` to `out`, whose lines are the second of `steps` apart; else as `chosen_product`."""
    _turned(rows, matrix, out, count, depth, chosen, steps, apart, size, one)
