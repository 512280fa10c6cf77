"""The greatest and the least: of two nodes, of a node and a constant, over a dimension, over windows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring_plugins.propagation.curves import ReLU
from sparring_plugins.propagation.maxima import Maximum
from sparring_plugins.propagation.moves import Picked
from sparring_plugins.propagation.references import NoRule, Ref
from sparring_plugins.propagation.rules.appending import constant, curved, reshaped, scaled, sliced
from sparring_plugins.propagation.rules.shapes import inner, window_count
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES", "Extremes", "Pair", "over_dimension"]

Pair = Callable[[Tracing, str, Ref, Ref], Ref]
"""Appends an operation on two nodes of one shape that may be taken in any order."""


class Extremes(NamedTuple):
    """What `max` along a dimension gives."""

    values: Ref
    indices: NoRule


def _greater(tracing: Tracing, path: str, first: Ref, second: Ref) -> Ref:
    return tracing.add(Maximum(path, (first.place, second.place), first.shape), first, second)


def over_dimension(tracing: Tracing, path: str, x: Ref, dim: int, pair: Pair) -> Ref:
    """An operation over all places of a dimension, which counts the batch as 0: halves on each other, again and again.

    The dimension stays, with width 1.
    """
    left: list[Ref] = []
    while (size := x.shape[dim - 1]) > 1:
        half = size // 2
        if size % 2:
            left.append(sliced(tracing, path, x, dim, slice(size - 1, size)))
        parts = [sliced(tracing, path, x, dim, slice(start, start + half)) for start in (0, half)]
        x = pair(tracing, path, *parts)
    return _over_parts(tracing, path, [x, *left], pair)


def _over_parts(tracing: Tracing, path: str, parts: list[Ref], pair: Pair) -> Ref:
    """An operation over several nodes, in as few levels as may be."""
    while len(parts) > 1:
        pairs = zip(parts[::2], parts[1::2], strict=False)
        parts = [pair(tracing, path, first, second) for first, second in pairs] + parts[len(parts) // 2 * 2 :]
    return parts[0]


def _maximum(tracing: Tracing, path: str, input: Any, other: Any) -> Ref:
    if isinstance(input, Ref) and isinstance(other, Ref):
        if input.shape != other.shape or not input.shape:
            shapes = f"{list(input.shape)} and {list(other.shape)}"
            raise tracing.refuse(f"{tracing.doing} of shapes {shapes} for each sample")
        return _greater(tracing, path, input, other)
    x, value = (input, other) if isinstance(input, Ref) else (other, input)
    least = constant(tracing, x, value)
    above = curved(tracing, path, scaled(tracing, path, x, None, lambda: -least()), ReLU())
    return scaled(tracing, path, above, None, least)


def _minimum(tracing: Tracing, path: str, input: Any, other: Any) -> Ref:
    turned = [tracing.apply(torch.neg, part) for part in (input, other)]
    return _negated(tracing, path, _maximum(tracing, path, *turned))


def _negated(tracing: Tracing, path: str, x: Ref) -> Ref:
    return scaled(tracing, path, x, constant(tracing, x, -1.0), None)


def _greatest(tracing: Tracing, path: str, input: Ref, dim: Any = (), keepdim: bool = False) -> Ref:
    """`amax`."""
    dims = [dim] if isinstance(dim, int) else list(dim)
    if not dims:
        raise tracing.refuse(f"{tracing.doing} over the batch")
    places = sorted(inner(tracing, input, one) for one in dims)
    x = input
    for place in places:
        x = over_dimension(tracing, path, x, place, _greater)
    shape = tuple(size for place, size in enumerate(x.shape, 1) if keepdim or place not in places)
    return reshaped(tracing, path, x, shape)


def _least(tracing: Tracing, path: str, input: Ref, dim: Any = (), keepdim: bool = False) -> Ref:
    """`amin`."""
    return _negated(tracing, path, _greatest(tracing, path, _negated(tracing, path, input), dim, keepdim))


def _max(tracing: Tracing, path: str, input: Ref, dim: Any = None, keepdim: bool = False) -> Any:
    """`max` along a dimension, or of two nodes."""
    if isinstance(dim, int) and not isinstance(dim, bool):
        return Extremes(_greatest(tracing, path, input, dim, keepdim), NoRule("the place of a maximum, which jumps,"))
    return _maximum(tracing, path, input, dim) if dim is not None else _greatest(tracing, path, input)


def _min(tracing: Tracing, path: str, input: Ref, dim: Any = None, keepdim: bool = False) -> Any:
    if isinstance(dim, int) and not isinstance(dim, bool):
        return Extremes(_least(tracing, path, input, dim, keepdim), NoRule("the place of a minimum, which jumps,"))
    return _minimum(tracing, path, input, dim) if dim is not None else _least(tracing, path, input)


def _pool(
    tracing: Tracing, path: str, input: Ref, kernel_size: Any, stride: Any = None, padding: Any = 0,
    dilation: Any = 1, ceil_mode: bool = False, return_indices: bool = False,
) -> Ref:  # fmt: skip
    """One dimension after the other; beyond the edge stands what is at the edge, which is in the window anyway."""
    wide = len(input.shape) - 1
    kernel, step, edge, reach = (
        size if isinstance(size, tuple | list) else (size,) * wide
        for size in (kernel_size, stride or kernel_size, padding, dilation)
    )
    if return_indices:
        raise tracing.refuse(f"{tracing.doing} with return_indices")
    if wide not in (1, 2) or not len(kernel) == len(step) == len(edge) == len(reach) == wide:
        raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
    if any((pad or ceil_mode) and far != 1 for pad, far in zip(edge, reach, strict=True)):
        raise tracing.refuse(f"{tracing.doing} with {'ceil_mode' if ceil_mode else 'padding'} and dilation")
    x = input
    for dim, sizes in enumerate(zip(kernel, step, edge, reach, strict=True), 2):
        x = _over_parts(tracing, path, _windows(tracing, path, x, dim, *sizes, ceil_mode), _greater)
    return x


def _windows(
    tracing: Tracing, path: str, x: Ref, dim: int, kernel: int, step: int, edge: int, reach: int, up: bool
) -> list[Ref]:
    """The first place of every window, the second of every window, and so on; `up` keeps what juts out at the end."""
    size = x.shape[dim - 1]
    count, juts = window_count(size, reach * (kernel - 1) + 1, step, edge, up)
    if not edge and not juts:
        last = (count - 1) * step + 1
        return [sliced(tracing, path, x, dim, slice(far, far + last, step)) for far in range(0, kernel * reach, reach)]
    shape = (*x.shape[: dim - 1], count, *x.shape[dim:])
    starts = torch.arange(count, device=x.like.device) * step - edge
    parts = []
    for far in range(kernel):
        spots = (starts + far).clamp(0, size - 1)
        parts.append(tracing.add(Picked(path, x.place, shape, x.shape, dim, _same(spots)), x))
    return parts


def _same(spots: Tensor) -> Callable[[], Tensor]:
    return lambda: spots


def _pool_of(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, input: Ref, *args: Any, **kwargs: Any) -> Ref:
        if len(input.shape) != wide + 1:
            raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
        return _pool(tracing, path, input, *args, **kwargs)

    return rule


def _module_of(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, module: Any, input: Ref) -> Any:
        return _pool_of(wide)(tracing, path, input, module.kernel_size, module.stride, module.padding,
                              module.dilation, module.ceil_mode, module.return_indices)  # fmt: skip

    return rule


METHODS: dict[str, Rule] = {
    "amax": _greatest,
    "amin": _least,
    "max": _max,
    "min": _min,
    "maximum": _maximum,
    "minimum": _minimum,
}
FUNCTIONS: dict[Callable[..., Any], Rule] = {getattr(torch, name): rule for name, rule in METHODS.items()} | {
    F.max_pool1d: _pool_of(1),
    F.max_pool2d: _pool_of(2),
    torch.max_pool1d: _pool_of(1),
    torch.max_pool2d: _pool_of(2),
}
MODULES: dict[Any, Rule] = {nn.MaxPool1d: _module_of(1), nn.MaxPool2d: _module_of(2)}
