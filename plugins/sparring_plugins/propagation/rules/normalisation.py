"""Batch normalisation in evaluation, that of layers, groups and instances, and that by the root mean square."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring_plugins.propagation.affine import Scale
from sparring_plugins.propagation.curves import Clamp, Rsqrt, Square
from sparring_plugins.propagation.domains import Floored, Within
from sparring_plugins.propagation.nodes import Interval, magnitude
from sparring_plugins.propagation.reductions import Centred, Reduced
from sparring_plugins.propagation.references import Live, Ref
from sparring_plugins.propagation.rounded import Rounded
from sparring_plugins.propagation.rounding import gamma, tiny
from sparring_plugins.propagation.rules.appending import constant, curved, expanded, multiplied, reshaped, scaled
from sparring_plugins.propagation.rules.layers import attribute
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _batch_norm(
    tracing: Tracing, path: str, input: Ref, running_mean: Any, running_var: Any, weight: Any = None, bias: Any = None,
    training: bool = False, momentum: float = 0.1, eps: float = 1e-5,
) -> Ref:  # fmt: skip
    """`x * factor + shift` with constants of the running statistics, however the kernel rounds them."""
    if training or running_mean is None or running_var is None:
        raise tracing.refuse(f"{tracing.doing} in training mode; call .eval() first, it needs running statistics")
    spread = (-1, *[1] * (len(input.shape) - 1))
    mean, variance, scale, move = (_fetch(part) for part in (running_mean, running_var, weight, bias))

    def factor() -> Tensor:
        inverse = torch.rsqrt(_known(variance) + eps)
        return (inverse if scale is None else inverse * scale()).reshape(spread)

    def shift() -> Tensor:
        moved = -_known(mean).reshape(spread) * factor()
        return moved if move is None else moved + move().reshape(spread)

    def bulk() -> Tensor:
        return (_known(mean).reshape(spread) * factor()).abs() + shift().abs()

    return tracing.add(Scale(path, (input.place,), input.shape, input.shape, factor, shift, bulk), input)


def _fetch(value: Any) -> Callable[[], Tensor] | None:
    if value is None:
        return None
    return value.fetch if isinstance(value, Live) else lambda: value


def _known(fetch: Callable[[], Tensor] | None) -> Tensor:
    assert fetch is not None
    return fetch()


def _batch_norm_module(tracing: Tracing, path: str, module: Any, input: Ref) -> Ref:
    mean, variance = attribute(module, "running_mean"), attribute(module, "running_var")
    weight, bias = attribute(module, "weight"), attribute(module, "bias")
    return _batch_norm(tracing, path, input, mean, variance, weight, bias, module.training, eps=module.eps)


def _layer_norm(
    tracing: Tracing, path: str, input: Ref, normalized_shape: Any, weight: Any = None, bias: Any = None,
    eps: float = 1e-5, cudnn_enable: bool = True,
) -> Ref:  # fmt: skip
    """`d / sqrt(mean(d^2) + eps)` with `d = x - mean(x)` over the last dimensions, times weight, plus bias."""
    return _along(
        tracing, path, input, normalized_shape, weight, bias, lambda flat: _standardised(tracing, path, flat, eps)
    )


def _rms_norm(
    tracing: Tracing, path: str, input: Ref, normalized_shape: Any, weight: Any = None, eps: float | None = None
) -> Ref:
    """`x / sqrt(mean(x^2) + eps)` over the last dimensions, times weight."""
    least = torch.finfo(input.like.dtype).eps if eps is None else eps
    return _along(
        tracing, path, input, normalized_shape, weight, None, lambda flat: _by_size(tracing, path, flat, least)
    )


def _group_norm(
    tracing: Tracing, path: str, input: Ref, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
    cudnn_enabled: bool = True,
) -> Ref:  # fmt: skip
    """Of a share of the channels and all places together, with a weight and a bias for each channel."""
    channels = input.shape[0]
    if channels % num_groups:
        raise tracing.refuse(f"{tracing.doing} of {channels} channels in {num_groups} groups")
    flat = reshaped(tracing, path, input, (num_groups, math.prod(input.shape) // num_groups))
    result = reshaped(tracing, path, _standardised(tracing, path, flat, eps), input.shape)
    parts = [None if part is None else constant(tracing, input, part) for part in (weight, bias)]
    if parts == [None, None]:
        return result
    spread = (-1, *[1] * (len(input.shape) - 1))
    factor, shift = (None if part is None else (lambda part=part: part().reshape(spread)) for part in parts)
    return scaled(tracing, path, result, factor, shift)


def _instance_norm(
    tracing: Tracing, path: str, input: Ref, running_mean: Any = None, running_var: Any = None, weight: Any = None,
    bias: Any = None, use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5,
) -> Ref:  # fmt: skip
    """Of each channel by itself, or by running statistics."""
    if use_input_stats:
        return _group_norm(tracing, path, input, input.shape[0], weight, bias, eps)
    return _batch_norm(tracing, path, input, running_mean, running_var, weight, bias, False, momentum, eps)


def _along(
    tracing: Tracing, path: str, input: Ref, normalized_shape: Any, weight: Any, bias: Any, rule: Callable[[Ref], Ref]
) -> Ref:
    """A rule for the last dimension on several that are made one, and what its results are multiplied with."""
    wide = len(normalized_shape)
    if wide >= len(input.shape) + 1 or input.shape[len(input.shape) - wide :] != tuple(normalized_shape):
        raise tracing.refuse(f"{tracing.doing} over the batch")
    flat = reshaped(tracing, path, input, (*input.shape[: len(input.shape) - wide], math.prod(normalized_shape)))
    result = reshaped(tracing, path, rule(flat), input.shape)
    factor, shift = (None if part is None else constant(tracing, input, part) for part in (weight, bias))
    return result if factor is None and shift is None else scaled(tracing, path, result, factor, shift)


def _over_root(tracing: Tracing, path: str, x: Ref, eps: float, most: float) -> tuple[Ref, Ref]:
    """`x / sqrt(mean(x^2) + eps)` over the last dimension, no further from zero than `most`, and that factor."""
    squares = curved(tracing, path, x, Square())
    thin, last = (*x.shape[:-1], 1), len(x.shape)
    mean = tracing.add(Reduced(path, squares.place, thin, x.shape, (last,), True, True), squares)
    variance = scaled(tracing, path, mean, None, constant(tracing, x, eps))
    # Repeated behind the curve: coefficients of all products come together before one of its lines is chosen.
    inverse = curved(tracing, path, variance, Within(Floored(Rsqrt(), eps), path))
    factor, limit = expanded(tracing, path, inverse, x.shape), most * (1 + 1e-6)
    return curved(tracing, path, multiplied(tracing, path, x, factor), Clamp(-limit, limit)), factor


def _standardised(tracing: Tracing, path: str, x: Ref, eps: float) -> Ref:
    """Over the last dimension; nobody lies further than `sqrt(n - 1)` standard deviations from the mean."""
    count = x.shape[-1]
    apart = tracing.add(Centred(path, x.place, x.shape), x)
    product, inverse = _over_root(tracing, path, apart, eps, math.sqrt(max(count - 1, 0)))

    def reach(product: Interval, x: Interval, inverse: Interval) -> Tensor:
        """The kernel of torch takes mean and variance by Welford's way or in two passes.

        Either gives a mean and a standard deviation right to `gamma` times the largest input (Chan, Golub, LeVeque
        1983), then `x * r - mean * r`, whose two parts may cancel.
        """
        share = 2 * gamma(count, x.low.dtype)
        size, scale = magnitude(x).amax(-1, keepdim=True), inverse.high.amax(-1, keepdim=True)
        result = magnitude(product)
        return share * (size * scale * (1 + result) + result) + tiny(count, x.low.dtype)

    node = Rounded(path, (product.place, x.place, inverse.place), x.shape, reach)
    return tracing.add(node, product, x, inverse)


def _by_size(tracing: Tracing, path: str, x: Ref, eps: float) -> Ref:
    """Over the last dimension; nobody is further from zero than `sqrt(n)` root mean squares."""
    count = x.shape[-1]
    product, inverse = _over_root(tracing, path, x, eps, math.sqrt(count))

    def reach(product: Interval, inverse: Interval) -> Tensor:
        """The mean of squares, of one sign, is right to `gamma`, and so is all that comes of it."""
        small = tiny(count, product.low.dtype)
        return 2 * gamma(count, product.low.dtype) * magnitude(product) + small * (1 + inverse.high)

    node = Rounded(path, (product.place, inverse.place), x.shape, reach)
    return tracing.add(node, product, inverse)


def _layer_norm_module(tracing: Tracing, path: str, module: nn.LayerNorm, input: Ref) -> Ref:
    weight, bias = attribute(module, "weight"), attribute(module, "bias")
    return _layer_norm(tracing, path, input, module.normalized_shape, weight, bias, module.eps)


def _rms_norm_module(tracing: Tracing, path: str, module: nn.RMSNorm, input: Ref) -> Ref:
    return _rms_norm(tracing, path, input, module.normalized_shape, attribute(module, "weight"), module.eps)


def _group_norm_module(tracing: Tracing, path: str, module: nn.GroupNorm, input: Ref) -> Ref:
    weight, bias = attribute(module, "weight"), attribute(module, "bias")
    return _group_norm(tracing, path, input, module.num_groups, weight, bias, module.eps)


def _instance_norm_module(wide: int) -> Rule:
    def rule(tracing: Tracing, path: str, module: Any, input: Ref) -> Ref:
        if len(input.shape) != wide + 1:
            raise tracing.refuse(f"{tracing.doing} of {len(input.shape)} dimensions for each sample")
        mean, variance = attribute(module, "running_mean"), attribute(module, "running_var")
        weight, bias = attribute(module, "weight"), attribute(module, "bias")
        own = module.training or not module.track_running_stats
        return _instance_norm(tracing, path, input, mean, variance, weight, bias, own, eps=module.eps)

    return rule


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    F.batch_norm: _batch_norm,
    F.group_norm: _group_norm,
    F.instance_norm: _instance_norm,
    F.layer_norm: _layer_norm,
    F.rms_norm: _rms_norm,
    torch.group_norm: _group_norm,
    torch.layer_norm: _layer_norm,
    torch.rms_norm: _rms_norm,
}
METHODS: dict[str, Rule] = {}
MODULES: dict[Any, Rule] = {
    nn.BatchNorm1d: _batch_norm_module,
    nn.BatchNorm2d: _batch_norm_module,
    nn.GroupNorm: _group_norm_module,
    nn.InstanceNorm1d: _instance_norm_module(1),
    nn.InstanceNorm2d: _instance_norm_module(2),
    nn.LayerNorm: _layer_norm_module,
    nn.RMSNorm: _rms_norm_module,
}
