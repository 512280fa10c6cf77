"""Sums and differences, products and quotients, of nodes and constants."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import Reciprocal
from sparring_plugins.propagation.references import Live, Ref
from sparring_plugins.propagation.rules.appending import added, constant, curved, multiplied, scaled
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _add(tracing: Tracing, path: str, input: Any, other: Any, *, alpha: Any = 1) -> Ref:
    if not isinstance(alpha, int) or alpha != 1:
        other = _multiply(tracing, path, other, alpha) if isinstance(other, Ref) else _times(other, alpha)
    if isinstance(input, Ref) and isinstance(other, Ref):
        return added(tracing, path, input, other)
    x, value = (input, other) if isinstance(input, Ref) else (other, input)
    return scaled(tracing, path, x, None, constant(tracing, x, value))


def _subtract(tracing: Tracing, path: str, input: Any, other: Any, *, alpha: Any = 1) -> Ref:
    if not isinstance(other, Ref):
        return _add(tracing, path, input, _times(other, -1), alpha=alpha)
    if not isinstance(input, Ref):
        factor = constant(tracing, other, _times(alpha, -1))
        return scaled(tracing, path, other, factor, constant(tracing, other, input))
    plain = isinstance(alpha, int) and alpha == 1
    return added(tracing, path, input, other if plain else _multiply(tracing, path, other, alpha), -1)


def _subtract_from(tracing: Tracing, path: str, input: Any, other: Any, *, alpha: Any = 1) -> Ref:
    return _subtract(tracing, path, other, input, alpha=alpha)


def _multiply(tracing: Tracing, path: str, input: Any, other: Any) -> Ref:
    if isinstance(input, Ref) and isinstance(other, Ref):
        return multiplied(tracing, path, input, other)
    x, value = (input, other) if isinstance(input, Ref) else (other, input)
    return scaled(tracing, path, x, constant(tracing, x, value), None)


def _divide(tracing: Tracing, path: str, input: Any, other: Any, *, rounding_mode: Any = None) -> Ref:
    if rounding_mode is not None:
        raise tracing.refuse(f"{tracing.doing} with rounding_mode={rounding_mode!r}")
    if isinstance(other, Ref):
        return _multiply(tracing, path, input, curved(tracing, path, other, Reciprocal()))
    divisor = constant(tracing, input, other)
    return scaled(tracing, path, input, lambda: divisor().reciprocal(), None)


def _negative(tracing: Tracing, path: str, input: Ref) -> Ref:
    return _multiply(tracing, path, input, -1.0)


def _unchanged(tracing: Tracing, path: str, input: Ref) -> Ref:
    return input


def _times(value: Any, factor: Any) -> Any:
    """A product of constants, either of which may be live."""
    if not isinstance(value, Live) and not isinstance(factor, Live):
        return value * factor

    def fetch() -> Tensor:
        first, second = (part.fetch() if isinstance(part, Live) else part for part in (value, factor))
        return first * second

    return Live(fetch)


def in_place(rule: Rule) -> Rule:
    """The same operation where it changes its first argument."""

    def changed(tracing: Tracing, path: str, input: Any, *args: Any, **kwargs: Any) -> Ref:
        return tracing.overwrite(input, rule(tracing, path, input, *args, **kwargs))

    return changed


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    operator.add: _add,
    operator.sub: _subtract,
    operator.mul: _multiply,
    operator.truediv: _divide,
    operator.neg: _negative,
    operator.pos: _unchanged,
    operator.iadd: in_place(_add),
    operator.isub: in_place(_subtract),
    operator.imul: in_place(_multiply),
    operator.itruediv: in_place(_divide),
    torch.add: _add,
    torch.sub: _subtract,
    torch.subtract: _subtract,
    torch.rsub: _subtract_from,
    torch.mul: _multiply,
    torch.multiply: _multiply,
    torch.div: _divide,
    torch.divide: _divide,
    torch.true_divide: _divide,
    torch.neg: _negative,
    torch.negative: _negative,
    torch.positive: _unchanged,
}
METHODS: dict[str, Rule] = {
    "add": _add,
    "sub": _subtract,
    "subtract": _subtract,
    "mul": _multiply,
    "multiply": _multiply,
    "div": _divide,
    "divide": _divide,
    "true_divide": _divide,
    "neg": _negative,
    "negative": _negative,
}
MODULES: dict[Any, Rule] = {}
