"""Powers of a node with a constant exponent."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch

from sparring_plugins.propagation.curves import Curve, Reciprocal, Rsqrt, Sqrt, Square
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rules.appending import curved
from sparring_plugins.propagation.rules.arithmetic import in_place
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]

CURVES: dict[float, type[Curve]] = {2.0: Square, 0.5: Sqrt, -0.5: Rsqrt, -1.0: Reciprocal}


def _power(tracing: Tracing, path: str, input: Any, exponent: Any) -> Ref:
    if not isinstance(input, Ref) or not isinstance(exponent, int | float):
        raise tracing.refuse(f"{tracing.doing} with an exponent that is no fixed number")
    if exponent == 1:
        return input
    if exponent not in CURVES:
        raise tracing.refuse(f"{tracing.doing} with exponent {exponent}")
    return curved(tracing, path, input, CURVES[exponent]())


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    operator.pow: _power,
    operator.ipow: in_place(_power),
    torch.pow: _power,
}
METHODS: dict[str, Rule] = {"pow": _power}
MODULES: dict[Any, Rule] = {}
