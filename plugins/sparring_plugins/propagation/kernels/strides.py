"""Numbers apart by their places between two strides, and matrices turned round, a few registers at a time.

Compilers read numbers that lie a stride apart one by one, or by instructions that do no better. Here whole registers
are read, and shuffled.
"""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sparring_plugins.propagation.kernels.compiling import exact_part

__all__ = ["LARGEST_STRIDE", "SQUARE", "apart", "turn"]

LARGEST_STRIDE = 4
SQUARE = 8
"""Lines and columns that `turn` takes at a time."""
_INDEX = ir.IntType(64)


def _shuffled(lanes: int, stride: int) -> Any:
    """Of `lanes * stride` numbers every `stride`-th, from the first, the second ... on, `lanes` of each."""

    @intrinsic
    def shuffled(typing_context: Any, source: Any, to: Any, plane: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, bits = context.get_value_type(like), like.bitwidth
            source, to, plane, _ = arguments
            start, end = (builder.inttoptr(place, kind.as_pointer()) for place in (source, to))
            whole = builder.bitcast(start, ir.VectorType(kind, lanes * stride).as_pointer())
            numbers = builder.load(whole, align=bits // 8)
            for first in range(stride):
                places = [ir.Constant(ir.IntType(32), first + stride * lane) for lane in range(lanes)]
                mask = ir.Constant(ir.VectorType(ir.IntType(32), lanes), places)
                found = builder.shuffle_vector(numbers, ir.Constant(numbers.type, ir.Undefined), mask)
                there = builder.gep(end, [builder.mul(plane, _INDEX(first))])
                builder.store(found, builder.bitcast(there, found.type.as_pointer()), align=bits // 8)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, like), generate

    return shuffled


def _line(stride: int) -> Any:
    """`apart` for one stride."""
    wide, half, few, single = (_shuffled(lanes, stride) for lanes in (16, 8, 4, 1))

    @exact_part
    def line(source: int, to: int, count: int, plane: int, size: int, one: Any) -> None:
        lanes = 16 if count >= 16 else 8 if count >= 8 else 4 if count >= 4 else 1
        place = 0
        while place < count:
            place = min(place, count - lanes)  # the last ones are read again where they fill no register
            given, found = source + size * stride * place, to + size * place
            if lanes == 16:
                wide(given, found, plane, one)
            elif lanes == 8:
                half(given, found, plane, one)
            elif lanes == 4:
                few(given, found, plane, one)
            else:
                single(given, found, plane, one)
            place += lanes

    return line


_single, _double, _triple, _quadruple = (_line(stride) for stride in range(1, LARGEST_STRIDE + 1))


@exact_part
def apart(source: int, to: int, count: int, stride: int, plane: int, size: int, one: Any) -> None:
    """Write `count` times `stride` numbers as [stride, plane], of which the first `count` columns are filled.

    `source` and `to` are addresses of numbers of `size` bytes; `stride` is at most `LARGEST_STRIDE`.
    """
    if stride == 1:
        _single(source, to, count, plane, size, one)
    elif stride == 2:
        _double(source, to, count, plane, size, one)
    elif stride == 3:
        _triple(source, to, count, plane, size, one)
    else:
        _quadruple(source, to, count, plane, size, one)


@intrinsic
def _turn_square(typing_context: Any, source: Any, to: Any, steps: Any, like: Any) -> Any:
    """One square. Numbers change places with those half the square away, then a quarter, and so on."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind, align = context.get_value_type(like), like.bitwidth // 8
        places = [builder.inttoptr(place, kind.as_pointer()) for place in arguments[:2]]
        steps = [builder.extract_value(arguments[2], side) for side in range(2)]
        vector, half = ir.VectorType(kind, SQUARE), SQUARE // 2

        def at(side: int, line: int) -> Any:
            start = builder.gep(places[side], [builder.mul(steps[side], _INDEX(line))])
            return builder.bitcast(start, vector.as_pointer())

        lines = [builder.load(at(0, line), align=align) for line in range(SQUARE)]
        while half:
            kept = [lane if not lane & half else lane - half + SQUARE for lane in range(SQUARE)]
            given = [lane + half if not lane & half else lane + SQUARE for lane in range(SQUARE)]
            masks = [ir.Constant(ir.VectorType(ir.IntType(32), SQUARE), lanes) for lanes in (kept, given)]
            for line in range(SQUARE):
                if not line & half:
                    pair = lines[line], lines[line + half]
                    lines[line], lines[line + half] = (builder.shuffle_vector(*pair, mask) for mask in masks)
            half //= 2
        for line in range(SQUARE):
            builder.store(lines[line], at(1, line), align=align)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.UniTuple(types.int64, 2), like), generate


@exact_part
def turn(source: int, to: int, lines: int, columns: int, steps: Any, size: int, one: Any) -> None:
    """Write a matrix [lines, columns] as [columns, lines]; both are multiples of `SQUARE`.

    `source` and `to` are addresses of numbers of `size` bytes, `steps` how far apart lines begin there.
    """
    for line in range(0, lines, SQUARE):
        for column in range(0, columns, SQUARE):
            start, end = source + size * (line * steps[0] + column), to + size * (column * steps[1] + line)
            _turn_square(start, end, steps, one)
