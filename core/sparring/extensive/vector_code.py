"""Machine code for small vectors of real numbers: what `unrolled` is written in.

A vector is an LLVM value of a few doubles. Which number goes where is known when the code is written, so that moving
numbers between vectors is one or two instructions instead of loads through indices.
"""
# llvmlite has no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call,no-any-return"

from __future__ import annotations

import ctypes
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir

__all__ = [
    "REAL",
    "WHOLE",
    "Vector",
    "constant",
    "fused",
    "gather",
    "host_code",
    "moved",
    "positive",
    "splat",
    "vector",
]

REAL, WHOLE, LANE = ir.DoubleType(), ir.IntType(64), ir.IntType(32)
Vector = Any
"""An LLVM value of vector type."""


def vector(lanes: int) -> Any:
    """Return the type of vectors of `lanes` real numbers."""
    return ir.VectorType(REAL, lanes)


def constant(numbers: Iterable[float]) -> Vector:
    """Return these numbers as a vector."""
    listed = [float(number) for number in numbers]
    return ir.Constant(vector(len(listed)), listed)


def _shuffled(code: Any, first: Vector, second: Vector, lanes: Sequence[int]) -> Vector:
    """Take lanes from two vectors of one length, the second's numbered on from the first's."""
    return code.shuffle_vector(first, second, ir.Constant(ir.VectorType(LANE, len(lanes)), list(lanes)))


def splat(code: Any, number: Any, lanes: int) -> Vector:
    """Return `number` in every lane."""
    undefined = ir.Constant(vector(lanes), ir.Undefined)
    return _shuffled(code, code.insert_element(undefined, number, LANE(0)), undefined, [0] * lanes)


def gather(code: Any, vectors: Sequence[Vector], places: Sequence[tuple[int, int]]) -> Vector:
    """Return the numbers at `places`, each the number of a vector and a lane in it."""
    lanes, result = len(places), None
    for source in sorted({number for number, _ in places}):
        picked = [lane if number == source else 0 for number, lane in places]
        part = _shuffled(code, vectors[source], vectors[source], picked)
        own = [lanes + at if number == source else at for at, (number, _) in enumerate(places)]
        result = part if result is None else _shuffled(code, result, part, own)
    return result


def moved(code: Any, source: Vector, lanes: Sequence[int | None]) -> Vector:
    """Return lanes of `source` in another order, 0 where there is None."""
    count = source.type.count
    return _shuffled(code, source, constant([0.0] * count), [count if lane is None else lane for lane in lanes])


def positive(code: Any, numbers: Vector) -> Vector:
    """Return the numbers, 0 for those below."""
    nothing = constant([0.0] * numbers.type.count)
    return code.select(code.fcmp_ordered(">", numbers, nothing), numbers, nothing)


def fused(code: Any, total: Vector, one: Vector, other: Vector) -> Vector:
    """Return `total + one * other`, rounded once where the processor can, as `jit.add_tile` does."""
    kind = total.type
    # flags of an addition and a product do not reach vectors of one lane: these need the intrinsic
    name = f"llvm.fmuladd.v{kind.count}f64"
    known = code.module.globals.get(name)
    step = ir.Function(code.module, ir.FunctionType(kind, [kind] * 3), name) if known is None else known
    return code.call(step, [one, other, total])


def host_code(module: Any, name: str, *arguments: Any) -> Callable[..., None]:
    """Translate a module for this processor and return its function `name`, which keeps Python's lock.

    Args:
        module: an `llvmlite.ir.Module`; vectors reach the translation as they are, no pass rewrites them.
        name: of a function in it that returns nothing.
        arguments: its arguments as ctypes know them.
    """
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=llvm.get_host_cpu_features().flatten(), opt=3
    )
    compiler = llvm.create_mcjit_compiler(llvm.parse_assembly(str(module)), target)
    compiler.finalize_object()
    call: Any = ctypes.PYFUNCTYPE(None, *arguments)(compiler.get_function_address(name))
    call.keeps = compiler  # the code goes with the compiler that holds it
    return call
