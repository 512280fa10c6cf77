"""Parts of a node by index, and nodes side by side."""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.moves import Joined, Picked
from sparring_plugins.propagation.references import Live, Ref
from sparring_plugins.propagation.rules.appending import constant, reshaped, sliced
from sparring_plugins.propagation.rules.shapes import inner
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _item(tracing: Tracing, path: str, input: Any, index: Any) -> Any:
    return _indexed(tracing, path, input, index) if isinstance(input, Ref) else input[index]


def _indexed(tracing: Tracing, path: str, x: Ref, index: Any) -> Ref:
    """`x[...]`: whole numbers, slices, None, an ellipsis and one list or tensor of numbers."""
    given = list(index) if isinstance(index, tuple) else [index]
    used = sum(part is not None and part is not Ellipsis for part in given)
    if sum(part is Ellipsis for part in given) > 1 or used > len(x.shape) + 1:
        raise tracing.refuse(f"index {index!r}")
    if Ellipsis not in [part for part in given if part is None or isinstance(part, type(Ellipsis))]:
        given.append(Ellipsis)
    where = next(place for place, part in enumerate(given) if part is Ellipsis)
    whole = [slice(None)] * (len(x.shape) + 1 - used)
    given[where : where + 1] = whole
    if not given or not isinstance(given[0], slice) or given[0] != slice(None):
        raise tracing.refuse("an index into the batch")
    if sum(not isinstance(part, slice | int) and part is not None for part in given) > 1:
        raise tracing.refuse("an index by several lists")
    return _cut(tracing, path, x, given[1:])


def _cut(tracing: Tracing, path: str, x: Ref, parts: list[Any]) -> Ref:
    """One dimension after the other; numbers take away a dimension, None adds one."""
    listed = any(not isinstance(part, slice | int) and part is not None for part in parts)
    if listed and any(isinstance(part, int) for part in parts):
        raise tracing.refuse("an index by a list beside a number")
    shape: list[int] = []
    dim = 1
    for part in parts:
        if part is None:
            shape.append(1)
            continue
        if isinstance(part, bool):
            raise tracing.refuse("an index by truth values")
        x = _select(tracing, path, x, dim, part)
        if not isinstance(part, int):
            shape.append(x.shape[dim - 1])
        dim += 1
    return reshaped(tracing, path, x, tuple(shape))


def _select(tracing: Tracing, path: str, x: Ref, dim: int, part: Any) -> Ref:
    size = x.shape[dim - 1]
    if isinstance(part, slice):
        ends = (part.start, part.stop, part.step)
        if not all(end is None or (isinstance(end, int) and not isinstance(end, bool)) for end in ends):
            raise tracing.refuse("a slice whose ends are no fixed numbers")
        return sliced(tracing, path, x, dim, part)
    if isinstance(part, int):
        if not -size <= part < size:
            raise tracing.refuse(f"index {part} into {size} places")
        return sliced(tracing, path, x, dim, slice(part % size, part % size + 1))
    return _picked(tracing, path, x, dim, part)


def _picked(tracing: Tracing, path: str, x: Ref, dim: int, numbers: Any) -> Ref:
    """Places by a list or a tensor of whole numbers, which is read anew for each bound."""
    device, size = x.like.device, x.shape[dim - 1]
    fixed = None if isinstance(numbers, Live) else torch.as_tensor(numbers, device=device)
    now = numbers.fetch() if fixed is None else fixed
    if not isinstance(now, Tensor) or now.dim() != 1 or now.dtype not in (torch.int64, torch.int32):
        raise tracing.refuse("an index that is no list of whole numbers")

    def fetch() -> Tensor:
        found = numbers.fetch() if fixed is None else fixed
        return found % size  # counted from the front

    if now.numel() and not bool(((now >= -size) & (now < size)).all()):
        raise tracing.refuse(f"indices into {size} places that are not there")
    shape = (*x.shape[: dim - 1], len(now), *x.shape[dim:])
    if fixed is not None:
        front = fixed % size
        return tracing.add(Picked(path, x.place, shape, x.shape, dim, lambda: front), x)
    return tracing.add(Picked(path, x.place, shape, x.shape, dim, fetch), x)


def _index_select(tracing: Tracing, path: str, input: Ref, dim: int, index: Any) -> Ref:
    return _picked(tracing, path, input, inner(tracing, input, dim), index)


def _one(tracing: Tracing, path: str, input: Ref, dim: int, index: int) -> Ref:
    place = inner(tracing, input, dim)
    before, after = [slice(None)] * (place - 1), [slice(None)] * (len(input.shape) - place)
    return _cut(tracing, path, input, [*before, index, *after])


def _narrow(tracing: Tracing, path: str, input: Ref, dim: int, start: int, length: int) -> Ref:
    return sliced(tracing, path, input, inner(tracing, input, dim), slice(start, start + length))


def _split(tracing: Tracing, path: str, input: Ref, split_size: Any, dim: int = 0) -> tuple[Ref, ...]:
    place = inner(tracing, input, dim)
    whole = input.shape[place - 1]
    sizes = list(split_size) if isinstance(split_size, list | tuple) else [split_size] * -(-whole // split_size)
    starts = [sum(sizes[:count]) for count in range(len(sizes))]
    return tuple(
        sliced(tracing, path, input, place, slice(start, start + size))
        for start, size in zip(starts, sizes, strict=True)
    )


def _chunk(tracing: Tracing, path: str, input: Ref, chunks: int, dim: int = 0) -> tuple[Ref, ...]:
    whole = input.shape[inner(tracing, input, dim) - 1]
    return _split(tracing, path, input, -(-whole // chunks), dim)


def _unbind(tracing: Tracing, path: str, input: Ref, dim: int = 0) -> tuple[Ref, ...]:
    place = inner(tracing, input, dim)
    return tuple(_one(tracing, path, input, place, index) for index in range(input.shape[place - 1]))


def _cat(tracing: Tracing, path: str, tensors: Sequence[Any], dim: int = 0) -> Ref:
    if not isinstance(tensors, list | tuple):
        raise tracing.refuse(f"{tracing.doing} of something else than a list")
    first = next(part for part in tensors if isinstance(part, Ref))
    place = inner(tracing, first, dim)
    refs = [part for part in tensors if isinstance(part, Ref)]
    fixed = [None if isinstance(part, Ref) else _beside(tracing, first, part) for part in tensors]
    shapes = [
        part.shape if isinstance(part, Ref) else tuple(fetch().shape) if fetch is not None else ()
        for part, fetch in zip(tensors, fixed, strict=True)
    ]
    sizes = [shape[place - 1] for shape in shapes]
    shape = (*first.shape[: place - 1], sum(sizes), *first.shape[place:])
    node = Joined(path, tuple(ref.place for ref in refs), shape, place, fixed, sizes)
    return tracing.add(node, *refs)


def _beside(tracing: Tracing, x: Ref, part: Any) -> Callable[[], Tensor]:
    now = part.fetch() if isinstance(part, Live) else part
    if not isinstance(now, Tensor) or now.dim() != len(x.shape) + 1 or now.shape[0] != 1:
        raise tracing.refuse(f"{tracing.doing} of a constant without a batch")
    return constant(tracing, x, part)


def _stack(tracing: Tracing, path: str, tensors: Sequence[Any], dim: int = 0) -> Ref:
    wide = len(next(part for part in tensors if isinstance(part, Ref)).shape) + 2
    if not -wide <= dim < wide or dim % wide == 0:
        raise tracing.refuse(f"{tracing.doing} along the batch")
    parts = [tracing.apply(torch.unsqueeze, part, dim % wide) for part in tensors]
    return _cat(tracing, path, parts, dim % wide)


METHODS: dict[str, Rule] = {
    "index_select": _index_select,
    "select": _one,
    "narrow": _narrow,
    "split": _split,
    "chunk": _chunk,
    "unbind": _unbind,
}
FUNCTIONS: dict[Callable[..., Any], Rule] = {getattr(torch, name): rule for name, rule in METHODS.items()} | {
    operator.getitem: _item,
    torch.cat: _cat,
    torch.concat: _cat,
    torch.stack: _stack,
}
MODULES: dict[Any, Rule] = {}
