"""Values in another shape or order; the batch stays in front and whole."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from sparring_plugins.propagation.moves import Flipped
from sparring_plugins.propagation.references import BATCH, Live, Ref
from sparring_plugins.propagation.rules.appending import expanded, permuted, reshaped
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "inner", "window_count"]


def inner(tracing: Tracing, x: Ref, dim: Any) -> int:
    """A dimension counted from the front, the batch being 0 and refused."""
    wide = len(x.shape) + 1
    if isinstance(dim, bool) or not isinstance(dim, int) or not -wide <= dim < wide:
        raise tracing.refuse(f"{tracing.doing} along dimension {dim!r} of {wide}")
    if dim % wide == 0:
        raise tracing.refuse(f"{tracing.doing} along the batch")
    return dim % wide


def window_count(size: int, wide: int, step: int, edge: int, up: bool) -> tuple[int, bool]:
    """How many windows there are along a side, and whether the last one juts out at the end.

    One that does is kept only where asked for (`up`), and where it does not begin beyond the input.
    """
    left = size + 2 * edge - wide
    juts = up and left % step > 0 and (left // step + 1) * step < size + edge
    return left // step + 1 + juts, juts


def _sizes(tracing: Tracing, x: Ref, given: tuple[Any, ...]) -> tuple[int, ...]:
    """Sizes behind the batch, of which one may be -1, from those that a reshape is given."""
    listed = given[0] if len(given) == 1 and isinstance(given[0], list | tuple) else given
    sizes = [size.fetch() if isinstance(size, Live) else size for size in listed]
    first, rest = sizes[0], sizes[1:]
    count = math.prod(x.shape)
    known = math.prod(size for size in rest if size != -1) if BATCH not in rest else 0
    if first is not BATCH and first != -1:
        raise tracing.refuse(f"{tracing.doing} to a fixed batch of {first}; give -1 or x.shape[0]")
    if known == 0 or count % known or (first == -1 and (-1 in rest or known != count)):
        raise tracing.refuse(f"{tracing.doing} that touches the batch")
    shape = tuple(count // known if size == -1 else size for size in rest)
    if math.prod(shape) != count:
        raise tracing.refuse(f"{tracing.doing} that touches the batch")
    return shape


def _reshape(tracing: Tracing, path: str, input: Ref, *shape: Any, **sizes: Any) -> Ref:
    if sizes:
        shape = (sizes["shape"],)
    return reshaped(tracing, path, input, _sizes(tracing, input, shape))


def _flatten(tracing: Tracing, path: str, input: Ref, start_dim: int = 0, end_dim: int = -1) -> Ref:
    first, last = inner(tracing, input, start_dim), inner(tracing, input, end_dim)
    before, within, after = input.shape[: first - 1], input.shape[first - 1 : last], input.shape[last:]
    return reshaped(tracing, path, input, (*before, math.prod(within), *after))


def _flatten_module(tracing: Tracing, path: str, module: nn.Flatten, input: Ref) -> Ref:
    return _flatten(tracing, path, input, module.start_dim, module.end_dim)


def _unflatten(tracing: Tracing, path: str, input: Ref, dim: int, sizes: Any) -> Ref:
    place = inner(tracing, input, dim) - 1
    parts = torch.empty(input.shape[place], device="meta").unflatten(0, tuple(sizes)).shape
    return reshaped(tracing, path, input, (*input.shape[:place], *parts, *input.shape[place + 1 :]))


def _unflatten_module(tracing: Tracing, path: str, module: nn.Unflatten, input: Ref) -> Ref:
    if not isinstance(module.dim, int):
        raise tracing.refuse("Unflatten of a dimension by name")
    return _unflatten(tracing, path, input, module.dim, module.unflattened_size)


def _unsqueeze(tracing: Tracing, path: str, input: Ref, dim: int) -> Ref:
    wide = len(input.shape) + 2
    if not isinstance(dim, int) or not -wide <= dim < wide or dim % wide == 0:
        raise tracing.refuse(f"{tracing.doing} at dimension {dim!r}, before the batch")
    place = dim % wide - 1
    return reshaped(tracing, path, input, (*input.shape[:place], 1, *input.shape[place:]))


def _squeeze(tracing: Tracing, path: str, input: Ref, dim: Any = None) -> Ref:
    if dim is None:
        raise tracing.refuse(f"{tracing.doing} without a dimension, which drops a batch of one")
    dims = [inner(tracing, input, one) - 1 for one in (dim if isinstance(dim, list | tuple) else (dim,))]
    shape = tuple(size for place, size in enumerate(input.shape) if place not in dims or size != 1)
    return reshaped(tracing, path, input, shape)


def _permute(tracing: Tracing, path: str, input: Ref, *dims: Any, **named: Any) -> Ref:
    given = named["dims"] if named else dims[0] if isinstance(dims[0], list | tuple) else dims
    wide = len(input.shape) + 1
    order = tuple(int(dim) % wide for dim in given)
    if order[0] != 0:
        raise tracing.refuse(f"{tracing.doing} that moves the batch")
    return permuted(tracing, path, input, order)


def _transpose(tracing: Tracing, path: str, input: Ref, dim0: int, dim1: int) -> Ref:
    first, second = inner(tracing, input, dim0), inner(tracing, input, dim1)
    order = list(range(len(input.shape) + 1))
    order[first], order[second] = second, first
    return permuted(tracing, path, input, tuple(order))


def _movedim(tracing: Tracing, path: str, input: Ref, source: int, destination: int) -> Ref:
    first, second = inner(tracing, input, source), inner(tracing, input, destination)
    order = [place for place in range(len(input.shape) + 1) if place != first]
    order.insert(second, first)
    return permuted(tracing, path, input, tuple(order))


def _expand(tracing: Tracing, path: str, input: Ref, *sizes: Any) -> Ref:
    given = list(sizes[0]) if isinstance(sizes[0], list | tuple) else list(sizes)
    if len(given) != len(input.shape) + 1 or not (given[0] is BATCH or given[0] == -1):
        raise tracing.refuse(f"{tracing.doing} that adds dimensions or touches the batch")
    shape = tuple(old if new == -1 else int(new) for old, new in zip(input.shape, given[1:], strict=True))
    return expanded(tracing, path, input, shape)


def _flip(tracing: Tracing, path: str, input: Ref, *dims: Any) -> Ref:
    given = dims[0] if isinstance(dims[0], list | tuple) else dims
    places = tuple(inner(tracing, input, dim) for dim in given)
    return tracing.add(Flipped(path, input.place, input.shape, places), input)


def _nothing(tracing: Tracing, path: str, input: Ref, *options: Any, **named: Any) -> Ref:
    """Methods that give the same values; the type stays, which is checked."""
    result: Tensor = getattr(input.example, tracing.doing.removeprefix("method "))(*options, **named)
    if result.dtype is not input.example.dtype or result.device != input.example.device:
        raise tracing.refuse(f"{tracing.doing} to {result.dtype} on {result.device}")
    return input


def _copied(tracing: Tracing, path: str, input: Ref) -> Ref:
    return Ref(input.place, input.shape, input.like)


METHODS: dict[str, Rule] = {
    "reshape": _reshape,
    "view": _reshape,
    "flatten": _flatten,
    "unflatten": _unflatten,
    "unsqueeze": _unsqueeze,
    "squeeze": _squeeze,
    "permute": _permute,
    "transpose": _transpose,
    "swapaxes": _transpose,
    "swapdims": _transpose,
    "movedim": _movedim,
    "moveaxis": _movedim,
    "expand": _expand,
    "flip": _flip,
    "contiguous": _nothing,
    "clone": _copied,
    "detach": _nothing,
    "float": _nothing,
    "double": _nothing,
    "to": _nothing,
    "type_as": _nothing,
}
_FUNCTIONS = ("reshape", "flatten", "unflatten", "unsqueeze", "squeeze", "permute", "transpose", "swapaxes", "swapdims")
FUNCTIONS: dict[Callable[..., Any], Rule] = {
    getattr(torch, name): METHODS[name] for name in (*_FUNCTIONS, "movedim", "moveaxis", "flip")
}
MODULES: dict[Any, Rule] = {nn.Flatten: _flatten_module, nn.Unflatten: _unflatten_module}
