"""What does not depend on the input's values: its shape, type and device."""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import Any

import torch

from sparring_plugins.propagation.references import BATCH, Ref
from sparring_plugins.propagation.rules.extremes import Extremes
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _size(tracing: Tracing, path: str, input: Ref, dim: int | None = None) -> Any:
    sizes = (BATCH, *input.shape)
    return sizes if dim is None else sizes[dim]


def _dimensions(tracing: Tracing, path: str, input: Ref) -> int:
    return len(input.shape) + 1


def _attribute(tracing: Tracing, path: str, input: Any, name: str) -> Any:
    if isinstance(input, Extremes):
        return getattr(input, name)
    if isinstance(input, Ref) and name == "shape":
        return _size(tracing, path, input)
    if isinstance(input, Ref) and name == "ndim":
        return _dimensions(tracing, path, input)
    if isinstance(input, Ref) and name in ("dtype", "device"):
        return getattr(input.like, name)
    raise tracing.refuse(f"the attribute {name!r} of a value")


def _zeros(tracing: Tracing, path: str, input: Ref, **options: Any) -> Any:
    return torch.zeros_like(input.example[:1], **options)


def _ones(tracing: Tracing, path: str, input: Ref, **options: Any) -> Any:
    return torch.ones_like(input.example[:1], **options)


def _new(tracing: Tracing, path: str, input: Ref, *size: Any, **options: Any) -> Any:
    given = size[0] if isinstance(size[0], list | tuple) else size
    sizes = [1 if one is BATCH else one for one in given]
    make = {"new_zeros": torch.Tensor.new_zeros, "new_ones": torch.Tensor.new_ones}
    return make[tracing.doing.removeprefix("method ")](input.example, sizes, **options)


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    builtins.getattr: _attribute,
    torch.zeros_like: _zeros,
    torch.ones_like: _ones,
}
METHODS: dict[str, Rule] = {
    "size": _size,
    "dim": _dimensions,
    "ndimension": _dimensions,
    "new_zeros": _new,
    "new_ones": _new,
}
MODULES: dict[Any, Rule] = {}
