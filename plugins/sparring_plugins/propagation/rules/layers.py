"""Layers with weights: linear and convolution."""

from __future__ import annotations

import operator
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring_plugins.propagation.affine import Conv, Linear
from sparring_plugins.propagation.references import Live, Ref
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "attribute"]

Fetch = Callable[[], Tensor]


def attribute(module: nn.Module, name: str) -> Live | None:
    """A parameter or buffer of a module by reference, None where it has none."""
    known = module._parameters.get(name)
    kind: Any = type(module)
    if known is not None and not _hides(kind, name):
        return Live(lambda: known)  # another one in its place is another graph (see `kept_graphs`)
    return None if getattr(module, name) is None else Live(lambda: getattr(module, name))


@lru_cache(maxsize=256)
def _hides(kind: Hashable, name: str) -> bool:
    """Whether a class has something of its own under a parameter's name."""
    return hasattr(kind, name)


def _linear(tracing: Tracing, path: str, input: Ref, weight: Any, bias: Any = None) -> Ref:
    fetch, shift = _weight(tracing, input, weight), _weight(tracing, input, bias)
    if fetch is None or not isinstance(input, Ref) or fetch().dim() != 2:
        raise tracing.refuse(f"{tracing.doing} without a matrix of weights")
    shape = (*input.shape[:-1], fetch().shape[0])
    return tracing.add(Linear(path, (input.place,), shape, fetch, shift), input)


def _weight(tracing: Tracing, x: Any, value: Any) -> Fetch | None:
    """A weight, which does not depend on the input and is of its type."""
    now = value.fetch() if isinstance(value, Live) else value
    if now is None:
        return None
    if not isinstance(now, Tensor) or not isinstance(x, Ref) or now.dtype is not x.like.dtype:
        raise tracing.refuse(f"{tracing.doing} with a weight that depends on the input or has another type")
    return value.fetch if isinstance(value, Live) else lambda: now


def _linear_module(tracing: Tracing, path: str, module: nn.Linear, input: Ref) -> Ref:
    return _linear(tracing, path, input, attribute(module, "weight"), attribute(module, "bias"))


def _product(tracing: Tracing, path: str, input: Any, other: Any) -> Ref:
    """`x @ W`."""
    if isinstance(input, Ref) and isinstance(other, Ref):
        raise tracing.refuse(f"{tracing.doing} of two values that depend on the input")
    if not isinstance(input, Ref):
        raise tracing.refuse(f"{tracing.doing} with the input on the right")
    weight = _weight(tracing, input, other)
    if weight is None or weight().dim() != 2 or not input.shape:
        raise tracing.refuse(f"{tracing.doing} with a weight that is no matrix")
    return _linear(tracing, path, input, Live(lambda: weight().T))


def _add_product(tracing: Tracing, path: str, input: Any, mat1: Ref, mat2: Any) -> Ref:
    """`b + x @ W`."""
    result: Ref = tracing.apply(torch.add, _product(tracing, path, mat1, mat2), input)
    return result


def _conv(wide: int) -> Rule:
    def rule(
        tracing: Tracing, path: str, input: Ref, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
        dilation: Any = 1, groups: int = 1,
    ) -> Ref:  # fmt: skip
        fetch, shift = _weight(tracing, input, weight), _weight(tracing, input, bias)
        if fetch is None or len(input.shape) != wide + 1:
            raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
        step, reach = _each(stride, wide), _each(dilation, wide)
        edge = _padding(tracing, padding, fetch().shape[2:], reach, wide)
        sides = zip(input.shape[1:], fetch().shape[2:], step, edge, reach, strict=True)
        spots = ((size + 2 * pad - far * (width - 1) - 1) // go + 1 for size, width, go, pad, far in sides)
        shape = (fetch().shape[0], *spots)
        node = Conv(path, (input.place,), shape, fetch, shift, step, edge, reach, groups, input.shape)
        return tracing.add(node, input)

    return rule


def _each(size: Any, wide: int) -> tuple[int, ...]:
    given = tuple(size) if isinstance(size, tuple | list) else (size,)
    return given * wide if len(given) == 1 else given


def _padding(tracing: Tracing, padding: Any, kernel: Any, dilation: tuple[int, ...], wide: int) -> tuple[int, ...]:
    if padding == "valid":
        return (0,) * wide
    if padding == "same":
        total = [reach * (size - 1) for size, reach in zip(kernel, dilation, strict=True)]
        if any(width % 2 for width in total):
            raise tracing.refuse(f"{tracing.doing} with padding 'same', uneven here")
        return tuple(width // 2 for width in total)
    return _each(padding, wide)


def _conv_module(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, module: Any, input: Ref) -> Any:
        if module.padding_mode != "zeros":
            raise tracing.refuse(f"{tracing.doing} with padding_mode={module.padding_mode!r}")
        return _conv(wide)(tracing, path, input, attribute(module, "weight"), attribute(module, "bias"),
                           module.stride, module.padding, module.dilation, module.groups)  # fmt: skip

    return rule


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    F.linear: _linear,
    torch.conv1d: _conv(1),
    torch.conv2d: _conv(2),
    operator.matmul: _product,
    torch.matmul: _product,
    torch.mm: _product,
    torch.addmm: _add_product,
}
METHODS: dict[str, Rule] = {"matmul": _product, "mm": _product}
MODULES: dict[Any, Rule] = {nn.Linear: _linear_module, nn.Conv1d: _conv_module(1), nn.Conv2d: _conv_module(2)}
