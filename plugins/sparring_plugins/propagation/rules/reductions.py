"""Sums, means and average pooling."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from sparring_plugins.propagation.reductions import AveragePool, Reduced
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rules.appending import reshaped
from sparring_plugins.propagation.rules.shapes import inner, window_count
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _over(mean: bool) -> Rule:
    def rule(tracing: Tracing, path: str, input: Ref, dim: Any = None, keepdim: bool = False) -> Ref:
        if dim is None or (isinstance(dim, list | tuple) and not dim):
            raise tracing.refuse(f"{tracing.doing} over the batch")
        dims = dim if isinstance(dim, list | tuple) else (dim,)
        places = {inner(tracing, input, one) for one in dims}
        return _reduced(tracing, path, input, tuple(sorted(places)), keepdim, mean)

    return rule


def _reduced(tracing: Tracing, path: str, x: Ref, places: tuple[int, ...], keep: bool, mean: bool) -> Ref:
    kept = tuple(1 if place in places else size for place, size in enumerate(x.shape, 1))
    shape = kept if keep else tuple(size for place, size in enumerate(x.shape, 1) if place not in places)
    whole = not shape  # a node has at least one dimension
    made = kept if whole else shape
    found = tracing.add(Reduced(path, x.place, made, x.shape, places, keep or whole, mean), x)
    return reshaped(tracing, path, found, shape)


def _pool(
    tracing: Tracing, path: str, input: Ref, kernel_size: Any, stride: Any = None, padding: Any = 0,
    ceil_mode: bool = False, count_include_pad: bool = True, divisor_override: Any = None,
) -> Ref:  # fmt: skip
    wide = len(input.shape) - 1
    kernel, step, edge = (
        tuple(size) if isinstance(size, tuple | list) else (size,) * wide
        for size in (kernel_size, stride or kernel_size, padding)
    )
    if divisor_override is not None and divisor_override < 1:
        raise tracing.refuse(f"{tracing.doing} with divisor_override={divisor_override}")
    if wide not in (1, 2) or not len(kernel) == len(step) == len(edge) == wide:
        raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
    sizes = zip(input.shape[1:], kernel, step, edge, strict=True)
    shape = (input.shape[0], *(window_count(*side, ceil_mode)[0] for side in sizes))
    how = ceil_mode, count_include_pad, divisor_override
    return tracing.add(AveragePool(path, input.place, shape, input.shape, kernel, step, edge, *how), input)


def _pool_of(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, input: Ref, *args: Any, **kwargs: Any) -> Ref:
        if len(input.shape) != wide + 1:
            raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
        return _pool(tracing, path, input, *args, **kwargs)

    return rule


def _adaptive(wide: int) -> Rule:
    """Windows of one size, where the size of the output divides that of the input."""

    def rule(tracing: Tracing, path: str, input: Ref, output_size: Any) -> Ref:
        given = output_size if isinstance(output_size, tuple | list) else (output_size,) * wide
        space = input.shape[1:]
        if len(space) != wide or len(given) != wide:
            raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
        wanted = [old if new is None else new for old, new in zip(space, given, strict=True)]
        if any(old % new for old, new in zip(space, wanted, strict=True)):
            raise tracing.refuse(f"{tracing.doing} from {list(space)} to {wanted}, windows of different sizes,")
        kernel = tuple(old // new for old, new in zip(space, wanted, strict=True))
        return _pool(tracing, path, input, kernel)

    return rule


def _module_1d(tracing: Tracing, path: str, module: nn.AvgPool1d, input: Ref) -> Any:
    return _pool_of(1)(tracing, path, input, module.kernel_size, module.stride, module.padding, module.ceil_mode,
                       module.count_include_pad)  # fmt: skip


def _module_2d(tracing: Tracing, path: str, module: nn.AvgPool2d, input: Ref) -> Any:
    return _pool_of(2)(tracing, path, input, module.kernel_size, module.stride, module.padding, module.ceil_mode,
                       module.count_include_pad, module.divisor_override)  # fmt: skip


def _adaptive_module(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, module: Any, input: Ref) -> Any:
        return _adaptive(wide)(tracing, path, input, module.output_size)

    return rule


METHODS: dict[str, Rule] = {"sum": _over(False), "mean": _over(True)}
FUNCTIONS: dict[Callable[..., Any], Rule] = {
    torch.sum: _over(False),
    torch.mean: _over(True),
    F.avg_pool1d: _pool_of(1),
    F.avg_pool2d: _pool_of(2),
    F.adaptive_avg_pool1d: _adaptive(1),
    F.adaptive_avg_pool2d: _adaptive(2),
}
MODULES: dict[Any, Rule] = {
    nn.AvgPool1d: _module_1d,
    nn.AvgPool2d: _module_2d,
    nn.AdaptiveAvgPool1d: _adaptive_module(1),
    nn.AdaptiveAvgPool2d: _adaptive_module(2),
}
