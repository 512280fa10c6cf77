"""Products of a few rows with a matrix, at the speed of the processor's widest registers.

Compilers make vectors of one loop, and here two are wanted: a tile of the result stays in registers while the rows'
coefficients pass. So the innermost loop is written in the compiler's own language.
"""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

from llvmlite import binding, ir
from numba import types
from numba.extending import intrinsic

from sparring_plugins.propagation.kernels.compiling import exact_part
from sparring_plugins.propagation.kernels.tables import LANES

__all__ = ["product", "register", "spread", "sums_of_products"]

_INDEX = ir.IntType(64)
_SUM = ("contract",)  # a product may be added without having been rounded


@cache
def register() -> int:
    """Bytes of a register of this processor that are filled at once."""
    features = binding.get_host_cpu_features()
    return LANES if features.get("avx512f") else LANES // 2


def _tile(height: int, width: int, absolute: bool) -> Any:
    """`out = rows matrix`, or `out += rows matrix`, for so many rows and so many registers of columns.

    Where `absolute`, with the matrix's absolute values: taking these is work for the units that multiply.
    """

    @intrinsic
    def tile(
        typing_context: Any, rows: Any, matrix: Any, out: Any, depth: Any, lines: Any, steps: Any, stay: Any, like: Any
    ) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(signature.args[-1])
            _generate(builder, kind, like.bitwidth, arguments, height, width, absolute)
            return context.get_dummy_value()

        places = (types.int64,) * 5
        return types.void(*places, types.UniTuple(types.int64, 3), types.int64, like), generate

    return tile


def _generate(builder: Any, kind: Any, bits: int, arguments: Any, height: int, width: int, absolute: bool) -> None:
    """Code of one tile."""
    lanes = register() * 8 // bits
    vector, whole = ir.VectorType(kind, lanes), ir.VectorType(ir.IntType(bits), lanes)
    rows, matrix, out, depth, places, steps, stay, _ = arguments
    row_step, out_step, depth_step = (builder.extract_value(steps, place) for place in range(3))
    places = builder.inttoptr(places, _INDEX.as_pointer())
    rows, matrix, out = (builder.inttoptr(place, kind.as_pointer()) for place in (rows, matrix, out))

    def at(start: Any, offset: Any, to: Any) -> Any:
        return builder.bitcast(builder.gep(start, [offset]), to.as_pointer())

    def place(row: int, column: int) -> Any:
        return builder.add(builder.mul(out_step, _INDEX(row)), _INDEX(column * lanes))

    def masked(start: Any, offset: Any, mask: Any) -> Any:
        bit = builder.load(at(start, offset, whole), align=bits // 8)
        return builder.bitcast(builder.and_(bit, mask), vector)

    stay = spread(builder, builder.trunc(stay, whole.element) if bits < 64 else stay, whole)
    but_sign = ir.Constant(whole, [ir.Constant(whole.element, (1 << (bits - 1)) - 1)] * lanes)
    lines = [builder.mul(row_step, _INDEX(row)) for row in range(height)]
    cells = [(row, column) for row in range(height) for column in range(width)]
    before = [masked(out, place(*cell), stay) for cell in cells]

    def factors(turn: Any) -> Iterator[tuple[Any, Any]]:
        base = builder.load(builder.gep(places, [turn]))
        starts = [builder.add(base, _INDEX(column * lanes)) for column in range(width)]
        if absolute:
            loaded = [masked(matrix, start, but_sign) for start in starts]
        else:
            loaded = [builder.load(at(matrix, start, vector), align=bits // 8) for start in starts]
        along = builder.mul(turn, depth_step)
        for line in lines:
            given = spread(builder, builder.load(at(rows, builder.add(line, along), kind)), vector)
            yield from [(given, column) for column in loaded]

    after = sums_of_products(builder, before, depth, 1, factors)
    for cell, found in zip(cells, after, strict=True):
        builder.store(found, at(out, place(*cell), vector), align=bits // 8)


def sums_of_products(builder: Any, before: list[Any], depth: Any, step: int, factors: Any) -> list[Any]:
    """Code of a loop that adds products to sums, which stay in registers; what comes next stands behind it.

    Args:
        builder: of that code.
        before: vectors that the sums begin with.
        depth: where counting ends, from 0 on; at least one turn is made.
        step: how far it goes each turn.
        factors: `factors(turn)` gives the two of each sum, which is added to before the next two are made: loaded
            too soon, they would take the registers of sums.
    """
    entry, loop, done = builder.block, builder.append_basic_block("depth"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    turn, sums = builder.phi(_INDEX), [builder.phi(first.type) for first in before]
    after = [
        builder.fadd(builder.fmul(*pair, flags=_SUM), found, flags=_SUM)
        for pair, found in zip(factors(turn), sums, strict=True)
    ]
    following = builder.add(turn, _INDEX(step))
    for phi, first, then in zip([turn, *sums], [_INDEX(0), *before], [following, *after], strict=True):
        phi.add_incoming(first, entry)
        phi.add_incoming(then, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
    builder.position_at_end(done)
    return after


def spread(builder: Any, value: Any, vector: Any) -> Any:
    """One number in all lanes."""
    nothing = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(nothing, value, ir.IntType(32)(0))
    return builder.shuffle_vector(first, nothing, ir.Constant(ir.VectorType(ir.IntType(32), vector.count), None))


def _bands(most: int, many: Any, six: Any, four: Any, two: Any, one_row: Any) -> Any:
    """Products of all rows by tiles of one width, the first with `most` rows."""

    @exact_part
    def band(
        rows: int, matrix: int, out: int, count: int, depth: int, places: int, steps: Any, size: int, stay: int,
        one: Any,
    ) -> None:  # fmt: skip
        while count > 0:
            high = 6 if count >= 6 and count != 8 else 4 if count >= 4 else 2 if count >= 2 else 1
            if count >= most:
                high = most
                many(rows, matrix, out, depth, places, steps, stay, one)
            elif high == 6:
                six(rows, matrix, out, depth, places, steps, stay, one)
            elif high == 4:
                four(rows, matrix, out, depth, places, steps, stay, one)
            elif high == 2:
                two(rows, matrix, out, depth, places, steps, stay, one)
            else:
                one_row(rows, matrix, out, depth, places, steps, stay, one)
            count, rows, out = count - high, rows + size * high * steps[0], out + size * high * steps[1]

    return band


MOST = 12 if register() == LANES else 6
"""Rows of a tile of two registers of columns: their sums fill three quarters of the registers there are."""
_band, _sizes_band = (
    _bands(12, *(_tile(height, 1, absolute) for height in (12, 6, 4, 2, 1))) for absolute in (False, True)
)
_wide_band, _wide_sizes_band = (
    _bands(MOST, *(_tile(height, 2, absolute) for height in (MOST, 6, 4, 2, 1))) for absolute in (False, True)
)
"""Of one register of columns, and of two."""


@exact_part
def product(
    rows: int, matrix: int, out: int, count: int, depth: int, columns: int, places: int, steps: Any, register: int,
    size: int, absolute: bool, fresh: bool, one: Any,
) -> None:  # fmt: skip
    """Write `rows matrix` to `out`, or `rows |matrix|`; sums in one order, with or without rounding of products.

    Of the arguments:
        rows, matrix, out: addresses of [count, depth], [depth, columns] and [count, columns].
        depth: from 1.
        columns: rounded up to full registers, so far is written and the matrix read.
        places: [depth], where the lines of the matrix begin, in numbers; they may overlap.
        steps: how far apart `rows` begin, and those of `out`, and the coefficients of a row.
        register: bytes of one.
        size: bytes of a number.
        fresh: whether `out` is overwritten; else products are added to what is there.
    """
    column, wide, stay = 0, register // size, 0 if fresh else -1
    while column < columns:
        there, to, pair = matrix + size * column, out + size * column, column + wide < columns
        if pair and absolute:
            _wide_sizes_band(rows, there, to, count, depth, places, steps, size, stay, one)
        elif pair:
            _wide_band(rows, there, to, count, depth, places, steps, size, stay, one)
        elif absolute:
            _sizes_band(rows, there, to, count, depth, places, steps, size, stay, one)
        else:
            _band(rows, there, to, count, depth, places, steps, size, stay, one)
        column += 2 * wide if pair else wide
