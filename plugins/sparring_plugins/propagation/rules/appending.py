"""Nodes that rules append: one function an elementary operation."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Reshaped, Scale, Sum
from sparring_plugins.propagation.curves import Curve, Log, Reciprocal, Rsqrt, Sqrt, Square
from sparring_plugins.propagation.domains import Within
from sparring_plugins.propagation.moves import Expanded, Permuted, Sliced
from sparring_plugins.propagation.nodes import Elementwise
from sparring_plugins.propagation.products import Product
from sparring_plugins.propagation.references import Live, Ref
from sparring_plugins.propagation.trace import Tracing

__all__ = ["added", "constant", "curved", "expanded", "multiplied", "permuted", "reshaped", "scaled", "sliced"]

Fetch = Callable[[], Tensor]
DOMAINS = frozenset({Log, Reciprocal, Rsqrt, Sqrt})
"""Curves that are not defined everywhere."""


def constant(tracing: Tracing, x: Ref, value: Any) -> Fetch:
    """A number, tensor or parameter as a function that gives a tensor like the input's, without a batch.

    Raises:
        RefusedError: it has a batch of its own, or would change the type of the result.
    """
    now = value.fetch() if isinstance(value, Live) else value
    if not isinstance(now, Tensor | float | int):
        raise tracing.refuse(f"{tracing.doing} with {now!r}")
    if torch.result_type(x.example, now) is not x.like.dtype:
        raise tracing.refuse(f"{tracing.doing} of {x.like.dtype} and another type, which the result takes on,")
    dtype, device, wide = x.like.dtype, x.like.device, len(x.shape) + 1
    size = list(now.shape) if isinstance(now, Tensor) else []
    if len(size) > wide or (len(size) == wide and size[0] != 1):
        raise tracing.refuse(f"{tracing.doing} with a constant of shape {size} beside {list(x.shape)} for each sample")
    if not isinstance(value, Live):
        fixed = torch.as_tensor(value, dtype=dtype, device=device)
        fixed = fixed[0] if fixed.dim() == wide else fixed
        return lambda: fixed
    if len(size) == wide:
        return lambda: torch.as_tensor(value.fetch(), dtype=dtype, device=device)[0]
    return lambda: torch.as_tensor(value.fetch(), dtype=dtype, device=device)


def reshaped(tracing: Tracing, path: str, x: Ref, shape: tuple[int, ...]) -> Ref:
    """The same values in another shape, [*shape] for each sample."""
    if shape == x.shape:
        return x
    node, place, entry = tracing.nodes[x.place], x.place, x.shape
    if isinstance(node, Reshaped):
        place = node.inputs[0]
        entry = tracing.nodes[place].shape
    return tracing.add(Reshaped(path, (place,), shape, entry), x, view=True)


def permuted(tracing: Tracing, path: str, x: Ref, order: tuple[int, ...]) -> Ref:
    """Dimensions in another order; `order` counts the batch as 0, where it stays."""
    if order == tuple(range(len(order))):
        return x
    shape = tuple(x.shape[place - 1] for place in order[1:])
    return tracing.add(Permuted(path, x.place, shape, x.shape, order), x, view=True)


def sliced(tracing: Tracing, path: str, x: Ref, dim: int, part: slice) -> Ref:
    """Places of one dimension, which counts the batch as 0; `part` has a positive step."""
    start, stop, step = part.indices(x.shape[dim - 1])
    if (start, stop, step) == (0, x.shape[dim - 1], 1):
        return x
    shape = (*x.shape[: dim - 1], len(range(start, stop, step)), *x.shape[dim:])
    return tracing.add(Sliced(path, x.place, shape, x.shape, dim, slice(start, stop, step)), x, view=True)


def expanded(tracing: Tracing, path: str, x: Ref, shape: tuple[int, ...]) -> Ref:
    """Repeated along dimensions of width 1."""
    return x if shape == x.shape else tracing.add(Expanded(path, x.place, shape, x.shape), x, view=True)


def curved(tracing: Tracing, path: str, x: Ref, curve: Curve) -> Ref:
    """A curve at each element."""
    placed = Within(curve, path) if type(curve) in DOMAINS else curve
    return _of_numbers(tracing, path, lambda x: tracing.add(Elementwise(path, (x.place,), x.shape, placed), x), x)


def scaled(tracing: Tracing, path: str, x: Ref, factor: Fetch | None, shift: Fetch | None) -> Ref:
    """`x * factor + shift` for constants."""
    shape = x.shape
    for part in (factor, shift):
        shape = shape if part is None else _broadcast(shape, part().shape)

    def append(x: Ref) -> Ref:
        return tracing.add(Scale(path, (x.place,), shape or (1,), x.shape, factor, shift), x)

    return append(x) if shape else _of_numbers(tracing, path, append, x)


def added(tracing: Tracing, path: str, first: Ref, second: Ref, sign: int = 1) -> Ref:
    """`first + second` or `first - second`."""
    shape = _together(tracing, first, second)

    def append(first: Ref, second: Ref) -> Ref:
        entries = (first.shape, second.shape)
        node = Sum(path, (first.place, second.place), shape or (1,), entries, (1, sign))
        return tracing.add(node, first, second)

    return _of_numbers(tracing, path, append, first, second)


def multiplied(tracing: Tracing, path: str, first: Ref, second: Ref) -> Ref:
    """`first * second`."""
    if first.place == second.place:
        return curved(tracing, path, first, Square())
    shape = _together(tracing, first, second)

    def append(first: Ref, second: Ref) -> Ref:
        return tracing.add(Product(path, (first.place, second.place), first.shape), first, second)

    wide = [expanded(tracing, path, x, shape) for x in (first, second)]
    return _of_numbers(tracing, path, append, *wide)


def _together(tracing: Tracing, first: Ref, second: Ref) -> tuple[int, ...]:
    """The shape of an operation on two nodes."""
    if len(first.shape) != len(second.shape):
        raise tracing.refuse(f"{tracing.doing} of shapes {list(first.shape)} and {list(second.shape)} for each sample")
    return _broadcast(first.shape, second.shape)


def _broadcast(first: tuple[int, ...], second: tuple[int, ...]) -> tuple[int, ...]:
    """What `torch.broadcast_shapes` gives, which takes a third of a second when it is first called."""
    sides = list(zip_longest(reversed(first), reversed(second), fillvalue=1))
    if any(one != other and 1 not in (one, other) for one, other in sides):
        raise RuntimeError(f"shapes {list(first)} and {list(second)} do not broadcast")
    return tuple(other if one == 1 else one for one, other in reversed(sides))


def _of_numbers(tracing: Tracing, path: str, append: Callable[..., Ref], *refs: Ref) -> Ref:
    """Nodes have at least one dimension: a number for each sample is taken for a vector of one on the way."""
    if math.prod(len(x.shape) for x in refs):
        return append(*refs)
    return reshaped(tracing, path, append(*(reshaped(tracing, path, x, (1,)) for x in refs)), ())
