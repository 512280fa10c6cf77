"""Numbers apart by their places between two strides and together again, and matrices turned, by whole registers.

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

__all__ = ["LARGEST_STRIDE", "SQUARE", "apart", "together", "turn"]

LARGEST_STRIDE = 4
SQUARE = 8
"""Lines and columns that `turn` takes at a time."""
_INDEX = ir.IntType(64)


def _shuffled(lanes: int, stride: int, back: bool) -> Any:
    """Of `lanes * stride` numbers every `stride`-th to a plane, from the first, the second ... on; or `back`."""

    @intrinsic
    def shuffled(typing_context: Any, whole: Any, planes: Any, plane: Any, like: Any) -> Any:
        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kind, align = context.get_value_type(like), like.bitwidth // 8
            whole, planes = (builder.inttoptr(place, kind.as_pointer()) for place in arguments[:2])
            there = [builder.gep(planes, [builder.mul(arguments[2], _INDEX(first))]) for first in range(stride)]
            (_together if back else _apart)(builder, kind, align, whole, there, lanes)
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, types.int64, like), generate

    return shuffled


def _vector(builder: Any, place: Any, kind: Any, lanes: int) -> Any:
    return builder.bitcast(place, ir.VectorType(kind, lanes).as_pointer())


def _picked(builder: Any, first: Any, second: Any, places: list[int]) -> Any:
    """Numbers of two vectors at these places."""
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places))


def _apart(builder: Any, kind: Any, align: int, whole: Any, planes: list[Any], lanes: int) -> None:
    stride = len(planes)
    numbers = builder.load(_vector(builder, whole, kind, lanes * stride), align=align)
    nothing = ir.Constant(numbers.type, ir.Undefined)
    for first, plane in enumerate(planes):
        found = _picked(builder, numbers, nothing, [first + stride * lane for lane in range(lanes)])
        builder.store(found, _vector(builder, plane, kind, lanes), align=align)


def _together(builder: Any, kind: Any, align: int, whole: Any, planes: list[Any], lanes: int) -> None:
    stride, numbers = len(planes), builder.load(_vector(builder, planes[0], kind, lanes), align=align)
    for plane in planes[1:]:
        found = builder.load(_vector(builder, plane, kind, lanes), align=align)
        # Both as long as the longer one, then one behind the other.
        longer = [min(lane, lanes) for lane in range(numbers.type.count)]
        found = _picked(builder, found, ir.Constant(found.type, ir.Undefined), longer)
        numbers = _picked(builder, numbers, found, list(range(numbers.type.count + lanes)))
    nothing = ir.Constant(numbers.type, ir.Undefined)
    order = [lanes * (place % stride) + place // stride for place in range(lanes * stride)]
    numbers = _picked(builder, numbers, nothing, order)
    builder.store(numbers, _vector(builder, whole, kind, lanes * stride), align=align)


def _line(stride: int, back: bool) -> Any:
    """`apart` or `together` for one stride."""
    wide, half, few, single = (_shuffled(lanes, stride, back) for lanes in (16, 8, 4, 1))

    @exact_part
    def line(whole: int, planes: int, count: int, plane: int, size: int, one: Any) -> None:
        lanes = 16 if count >= 16 else 8 if count >= 8 else 4 if count >= 4 else 1
        place = 0
        while place < count:
            place = min(place, count - lanes)  # the last ones are read again where they fill no register
            here, there = whole + size * stride * place, planes + size * place
            if lanes == 16:
                wide(here, there, plane, one)
            elif lanes == 8:
                half(here, there, plane, one)
            elif lanes == 4:
                few(here, there, plane, one)
            else:
                single(here, there, plane, one)
            place += lanes

    return line


def _lines(back: bool) -> Any:
    """`apart` or `together` for all strides."""
    single, double, triple, quadruple = (_line(stride, back) for stride in range(1, LARGEST_STRIDE + 1))

    @exact_part
    def lines(whole: int, planes: int, count: int, stride: int, plane: int, size: int, one: Any) -> None:
        if stride == 1:
            single(whole, planes, count, plane, size, one)
        elif stride == 2:
            double(whole, planes, count, plane, size, one)
        elif stride == 3:
            triple(whole, planes, count, plane, size, one)
        else:
            quadruple(whole, planes, count, plane, size, one)

    return lines


apart, together = _lines(back=False), _lines(back=True)
"""`(whole, planes, count, stride, plane, size, one)`: `count` times `stride` numbers as the first `count` columns of
[stride, plane], or from there. `whole` and `planes` are addresses of numbers of `size` bytes, and `stride` is at most
`LARGEST_STRIDE`."""


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
