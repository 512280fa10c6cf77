"""Rows at chosen units of a ReLU, turned round, through the lines there.

The rows' numbers at one unit lie behind each other, a whole number of registers wide, so that the unit's lines are
looked at once for all rows, and units that were not chosen take no time.
"""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sparring_plugins.propagation.kernels.compiling import exact_part
from sparring_plugins.propagation.kernels.tables import MORE
from sparring_plugins.propagation.kernels.tiles import register, spread, sums_of_products

__all__ = ["through_chosen"]

_INDEX = ir.IntType(64)
LINES = 5
"""Slope and intercept of the lower line and of the upper one, and the bias below."""


def _tile(more: int) -> Any:
    """One register of rows; see `through_chosen`."""

    @intrinsic
    def tile(
        typing_context: Any, rows: Any, chosen: Any, some: Any, step: Any, lines: Any, columns: Any, found: Any,
        apart: Any, like: Any,
    ) -> Any:  # fmt: skip
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind = context.get_value_type(signature.args[-1])
            _generate(builder, kind, like.bitwidth, arguments, more)
            return context.get_dummy_value()

        place = types.int64
        several = types.UniTuple(place, LINES), types.UniTuple(place, MORE)
        return types.void(place, place, place, place, *several, place, place, like), generate

    return tile


def _generate(builder: Any, kind: Any, bits: int, arguments: Any, more: int) -> None:
    vector = ir.VectorType(kind, register() * 8 // bits)
    rows, chosen, some, step, lines, columns, found, apart, _ = arguments
    rows, found = (builder.inttoptr(place, kind.as_pointer()) for place in (rows, found))
    chosen = builder.inttoptr(chosen, _INDEX.as_pointer())
    lines, columns = (
        [builder.inttoptr(builder.extract_value(many, place), kind.as_pointer()) for place in range(count)]
        for many, count in ((lines, LINES), (columns, more))
    )
    zero = ir.Constant(vector, None)

    def at(offset: Any, start: Any) -> Any:
        return builder.bitcast(builder.gep(start, [offset]), vector.as_pointer())

    def factors(turn: Any) -> list[tuple[Any, Any]]:
        unit = builder.load(builder.gep(chosen, [turn]))
        lower, low_shift, upper, high_shift, bias, *others = (
            spread(builder, builder.load(builder.gep(line, [unit])), vector) for line in (*lines, *columns)
        )
        here = at(builder.mul(turn, step), rows)
        x = builder.load(here, align=bits // 8)
        below = builder.fcmp_ordered(">", x, zero)
        moved = builder.fmul(x, builder.select(below, lower, upper))
        builder.store(moved, here, align=bits // 8)
        return [(x, builder.select(below, low_shift, high_shift)), *((moved, other) for other in (bias, *others))]

    shift, known, *rest = sums_of_products(builder, [zero] * (2 + more), some, 1, factors)
    for place, total in enumerate([builder.fadd(shift, known), *rest]):
        builder.store(total, at(builder.mul(apart, _INDEX(place)), found), align=bits // 8)


_alone, _with_one, _with_two = (_tile(more) for more in range(MORE + 1))


@exact_part
def through_chosen(
    rows: int, chosen: int, some: int, count: int, lines: Any, columns: Any, more: int, found: int, lanes: int,
    size: int, one: Any,
) -> None:  # fmt: skip
    """Move rows through lines, and write what they come to past the bias below, and at some columns of its matrix.

    Of the arguments:
        rows: address of [some, count], the latter a whole number of registers; is written.
        chosen, some: address of the chosen units, and how many these are, from 1 on.
        lines: five addresses: slopes and intercepts of the lower and the upper line, and the bias, of all units.
        columns, more: two addresses of columns of that matrix, and how many of them are wanted.
        found: address of [1 + more, count], is written.
        lanes: numbers in a register.
        size: bytes of a number.
    """
    for first in range(0, count, lanes):
        start, to = rows + size * first, found + size * first
        if more == 0:
            _alone(start, chosen, some, count, lines, columns, to, count, one)
        elif more == 1:
            _with_one(start, chosen, some, count, lines, columns, to, count, one)
        else:
            _with_two(start, chosen, some, count, lines, columns, to, count, one)
