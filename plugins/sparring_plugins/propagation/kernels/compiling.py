"""The one place of bounds that meets numba: the compiling decorators, and tensors by their addresses.

A kernel gets addresses in place of arrays: unpacking one costs numba 0.2 us and torch one more for making it, which
is as long as a small network takes to compute. Whoever calls keeps the tensors alive, contiguous and of one dtype.
"""
# numba has no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.extending import intrinsic

from sparring.extensive.kernel_cache import caching

__all__ = ["exact_kernel", "exact_part", "number", "sum_kernel", "sum_part", "view_of"]

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.py")))
"""Kernels are cached together: numba does not notice that a file which another one calls into has changed."""
SUMS = {"reassoc", "contract"}
PART = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
Function = TypeVar("Function", bound=Callable[..., Any])


def exact_kernel(function: Function) -> Function:
    """Compile a kernel in which every operation rounds as it is written; the machine code is cached on disk."""
    with caching(SOURCES):
        return cast(Function, njit(cache=True, error_model="numpy")(function))


def sum_kernel(function: Function) -> Function:
    """Compile a kernel whose sums may be taken in any order, with or without a rounding between product and sum.

    That is all that is left open: NaN and infinity pass through. What calls it has it inlined. Otherwise the process
    that compiles the caller would run the machine code that the kernel has by itself, and later ones, which find the
    caller on disk, that which was made for it, whose last digits may be others.
    """
    with caching(SOURCES):
        return cast(Function, njit(cache=True, error_model="numpy", fastmath=SUMS, forceinline=True)(function))


def exact_part(function: Function) -> Function:
    """The same for what only kernels call: it is kept within their machine code, and Python has no door to it."""
    return cast(Function, njit(error_model="numpy", **PART)(function))


def sum_part(function: Function) -> Function:
    """As `exact_part`, with sums as in `sum_kernel`."""
    return cast(Function, njit(error_model="numpy", fastmath=SUMS, forceinline=True, **PART)(function))


@intrinsic
def view_of(typing_context: Any, address: Any, like: Any) -> Any:
    """Take an address as a pointer to numbers of the type of `like` (for `numba.carray`)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(signature.return_type))

    return types.CPointer(like)(types.int64, like), generate


@intrinsic
def number(typing_context: Any, value: Any, like: Any) -> Any:
    """A number in the type of `like`, so that arithmetic with it stays in that type."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return context.cast(builder, arguments[0], value, like)

    return like(value, like), generate
