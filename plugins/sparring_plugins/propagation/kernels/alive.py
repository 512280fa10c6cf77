"""Which units a ReLU may let through: eight are looked at together, so that nothing waits for the one before."""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import carray, types
from numba.extending import intrinsic

from sparring_plugins.propagation.kernels.compiling import exact_part, view_of

__all__ = ["EIGHT", "alive"]

EIGHT = 8
_MEMBERS = [[place for place in range(EIGHT) if bits >> place & 1] for bits in range(1 << EIGHT)]
_SIZES = np.array([len(members) for members in _MEMBERS])
_PLACES = np.array([[*members, *[0] * (EIGHT - len(members))] for members in _MEMBERS])
"""Of each set of eight the members in turn, [sets, 8]."""


@intrinsic
def _let_through(typing_context: Any, low: Any, high: Any, like: Any) -> Any:
    """Which of eight units may be positive, or have ends that are no numbers; a bit each."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = context.get_value_type(signature.args[-1])
        vector = ir.VectorType(kind, EIGHT)

        def ends(address: Any, limit: float, how: str) -> Any:
            found = builder.load(builder.inttoptr(address, vector.as_pointer()), align=like.bitwidth // 8)
            return builder.fcmp_unordered(how, found, ir.Constant(vector, [ir.Constant(kind, limit)] * EIGHT))

        low, high, _ = arguments
        found = builder.or_(ends(high, 0.0, ">"), ends(low, -math.inf, "<="))
        return builder.zext(builder.bitcast(found, ir.IntType(EIGHT)), ir.IntType(64))

    return types.int64(types.int64, types.int64, like), generate


@exact_part
def alive(low: int, high: int, count: int, found: int, size: int, one: Any) -> int:
    """Write the units that a ReLU may let through, and give their number.

    Of the arguments:
        low, high: addresses of [count], which may be read up to a multiple of eight.
        found: address of as many whole numbers, and eight more.
        size: bytes of a number.
    """
    some, units = 0, carray(view_of(found, np.int64(0)), (count + EIGHT,))
    for first in range(0, count, EIGHT):
        bits = _let_through(low + size * first, high + size * first, one)
        if first + EIGHT > count:
            bits &= (1 << (count - first)) - 1
        for place in range(EIGHT):
            units[some + place] = first + _PLACES[bits, place]
        some += _SIZES[bits]
    return some
