"""The one place that meets numba: the compiling decorator, raw arrays, and the vector step of a tile.

Kernels get one table of addresses and sizes in place of twenty arrays: unpacking an array costs numba some
40 ns a call, which is more than the whole computation on Kuhn poker. Whoever owns the table keeps the
arrays alive (`engine.Engine`).
"""
# numba and llvmlite have no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from sparring.extensive.kernel_cache import caching
from sparring.extensive.tiles import LANES

__all__ = ["BEHAVIOUR", "BUFFER", "TABLE", "add_tile", "compiled", "inner", "real_pointer", "whole_pointer"]

Function = TypeVar("Function", bound=Callable[..., Any])

TABLE = types.Array(types.uint64, 1, "C", readonly=True)
BEHAVIOUR = types.Array(types.float64, 1, "C", readonly=True)
"""Arrays that are only read may be read-only or writable."""
BUFFER = types.Array(types.float64, 1, "C")


def inner(function: Function) -> Function:
    """Compile a function that only kernels call."""
    with caching():
        return cast(Function, njit(cache=True, error_model="numpy")(function))


def compiled(returns: Any, *arguments: Any) -> Callable[[Function], Function]:
    """Compile a kernel for exactly these argument types; the machine code is cached on disk."""

    def decorate(function: Function) -> Function:
        with caching():
            return cast(Function, njit([returns(*arguments)], cache=True, error_model="numpy")(function))

    return decorate


def _pointer(typing_context: Any, element: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(element)(types.uint64), generate


@intrinsic
def real_pointer(typing_context: Any, address: Any) -> Any:
    """Take an address as a pointer to float64 (for `numba.carray`)."""
    return _pointer(typing_context, types.float64)


@intrinsic
def whole_pointer(typing_context: Any, address: Any) -> Any:
    """Take an address as a pointer to uint32 (for `numba.carray`)."""
    return _pointer(typing_context, types.uint32)


@intrinsic
def add_tile(typing_context: Any, q: Any, x: Any, column: Any, value: Any, height: Any, start: Any, end: Any) -> Any:
    """Store one tile's rows: `q[0:LANES] = sum over start <= k < end of column k's values * x[column[k]]`.

    Everything goes by address, `value` to the tile's first; the address behind its last comes back.
    numba leaves LLVM's straight-line vectoriser off, so the vector type is written out here. Nothing is
    read from `q`: reading back what the neighbouring tile has just stored would stall each step.
    """

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _emit_tile(builder, arguments)

    return types.uint64(*[types.uint64] * 7), generate


def _emit_tile(builder: Any, arguments: Any) -> Any:
    long, short, real = ir.IntType(64), ir.IntType(32), ir.DoubleType()
    vector = ir.VectorType(real, LANES)
    q, x, column, value, height, start, end = arguments
    x, column = builder.inttoptr(x, real.as_pointer()), builder.inttoptr(column, short.as_pointer())
    stride = builder.shl(height, ir.Constant(long, 3))
    before = builder.block
    head, body, done = (builder.append_basic_block(name) for name in ("head", "body", "done"))
    builder.branch(head)
    builder.position_at_end(head)
    k, at, total = builder.phi(long), builder.phi(long), builder.phi(vector)
    zero = ir.Constant(vector, [0.0] * LANES)
    for phi, first in ((k, start), (at, value), (total, zero)):
        phi.add_incoming(first, before)
    builder.cbranch(builder.icmp_unsigned("<", k, end), body, done)
    builder.position_at_end(body)
    weight = builder.load(builder.gep(x, [builder.zext(builder.load(builder.gep(column, [k])), long)]))
    values = builder.load(builder.inttoptr(at, vector.as_pointer()), align=8)
    step = builder.fmul(values, _broadcast(builder, weight, vector), flags=("contract",))
    total.add_incoming(builder.fadd(total, step, flags=("contract",)), body)
    k.add_incoming(builder.add(k, ir.Constant(long, 1)), body)
    at.add_incoming(builder.add(at, stride), body)
    builder.branch(head)
    builder.position_at_end(done)
    builder.store(total, builder.inttoptr(q, vector.as_pointer()), align=8)
    return at


def _broadcast(builder: Any, scalar: Any, vector: Any) -> Any:
    undefined, short = ir.Constant(vector, ir.Undefined), ir.IntType(32)
    first = builder.insert_element(undefined, scalar, ir.Constant(short, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(short, LANES), None))
