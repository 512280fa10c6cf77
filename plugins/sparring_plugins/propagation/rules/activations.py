"""Functions of each element."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from sparring_plugins.propagation.curves import (
    ELU,
    GELU,
    Abs,
    Clamp,
    Curve,
    Exp,
    LeakyReLU,
    Log,
    Reciprocal,
    ReLU,
    Rsqrt,
    Sigmoid,
    SiLU,
    Softplus,
    Sqrt,
    Square,
    Tanh,
    TanhGELU,
)
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rules.appending import curved
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _plain(kind: type[Curve]) -> Rule:
    """The rule of a function without options, some of which can be told to work in place."""

    def rule(tracing: Tracing, path: str, input: Ref, inplace: bool = False) -> Ref:
        return _given(tracing, path, input, kind(), inplace)

    return rule


def _given(tracing: Tracing, path: str, x: Ref, curve: Curve, inplace: bool = False) -> Ref:
    result = curved(tracing, path, x, curve)
    return tracing.overwrite(x, result) if inplace else result


def _leaky_relu(tracing: Tracing, path: str, input: Ref, negative_slope: float = 0.01, inplace: bool = False) -> Ref:
    return _given(tracing, path, input, LeakyReLU(_number(tracing, negative_slope)), inplace)


def _elu(tracing: Tracing, path: str, input: Ref, alpha: float = 1.0, inplace: bool = False) -> Ref:
    return _given(tracing, path, input, ELU(_number(tracing, alpha)), inplace)


def _softplus(tracing: Tracing, path: str, input: Ref, beta: float = 1.0, threshold: float = 20.0) -> Ref:
    return curved(tracing, path, input, Softplus(_number(tracing, beta), _number(tracing, threshold)))


def _gelu(tracing: Tracing, path: str, input: Ref, *, approximate: str = "none") -> Ref:
    kinds: dict[str, type[Curve]] = {"none": GELU, "tanh": TanhGELU}
    if approximate not in kinds:
        raise tracing.refuse(f"{tracing.doing} with approximate={approximate!r}")
    return curved(tracing, path, input, kinds[approximate]())


def _hardtanh(
    tracing: Tracing, path: str, input: Ref, min_val: float = -1.0, max_val: float = 1.0, inplace: bool = False
) -> Ref:
    return _given(tracing, path, input, Clamp(_number(tracing, min_val), _number(tracing, max_val)), inplace)


def _relu6(tracing: Tracing, path: str, input: Ref, inplace: bool = False) -> Ref:
    return _given(tracing, path, input, Clamp(0.0, 6.0), inplace)


def _clamp(tracing: Tracing, path: str, input: Ref, min: Any = None, max: Any = None) -> Ref:
    ends = [None if end is None else _number(tracing, end) for end in (min, max)]
    return curved(tracing, path, input, Clamp(*ends))


def _clamp_min(tracing: Tracing, path: str, input: Ref, min: Any) -> Ref:
    return _clamp(tracing, path, input, min=min)


def _clamp_max(tracing: Tracing, path: str, input: Ref, max: Any) -> Ref:
    return _clamp(tracing, path, input, max=max)


def _number(tracing: Tracing, value: Any) -> float:
    """A fixed number: curves are made once, and would not follow a tensor that changes."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise tracing.refuse(f"{tracing.doing} with an option that is no fixed number")
    return float(value)


def _module(rule: Rule, *options: str) -> Rule:
    """The rule of a module that keeps the options of the function as attributes."""

    def of_module(tracing: Tracing, path: str, module: nn.Module, input: Ref) -> Any:
        return rule(tracing, path, input, **{name: getattr(module, name) for name in options})

    return of_module


_CURVES: dict[str, type[Curve]] = {
    "relu": ReLU,
    "tanh": Tanh,
    "sigmoid": Sigmoid,
    "abs": Abs,
    "absolute": Abs,
    "exp": Exp,
    "log": Log,
    "sqrt": Sqrt,
    "rsqrt": Rsqrt,
    "reciprocal": Reciprocal,
    "square": Square,
}
_OPTIONS: dict[str, Rule] = {"clamp": _clamp, "clip": _clamp, "clamp_min": _clamp_min, "clamp_max": _clamp_max}

METHODS: dict[str, Rule] = {name: _plain(kind) for name, kind in _CURVES.items()} | _OPTIONS
FUNCTIONS: dict[Callable[..., Any], Rule] = {getattr(torch, name): rule for name, rule in METHODS.items()} | {
    operator.abs: _plain(Abs),
    torch.special.expit: _plain(Sigmoid),
    F.relu: _plain(ReLU),
    F.tanh: _plain(Tanh),
    F.sigmoid: _plain(Sigmoid),
    F.silu: _plain(SiLU),
    F.leaky_relu: _leaky_relu,
    F.elu: _elu,
    F.softplus: _softplus,
    F.gelu: _gelu,
    F.hardtanh: _hardtanh,
    F.relu6: _relu6,
}
MODULES: dict[Any, Rule] = {
    nn.ReLU: _module(_plain(ReLU), "inplace"),
    nn.SiLU: _module(_plain(SiLU), "inplace"),
    nn.Tanh: _module(_plain(Tanh)),
    nn.Sigmoid: _module(_plain(Sigmoid)),
    nn.LeakyReLU: _module(_leaky_relu, "negative_slope", "inplace"),
    nn.ELU: _module(_elu, "alpha", "inplace"),
    nn.Softplus: _module(_softplus, "beta", "threshold"),
    nn.GELU: _module(_gelu, "approximate"),
    nn.Hardtanh: _module(_hardtanh, "min_val", "max_val", "inplace"),
}
