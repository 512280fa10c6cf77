"""Softmax, its logarithm, and the logarithm of summed exponentials, none of which overflows here.

With the log-odds `u_i = x_i - log sum_{j != i} exp(x_j)`, softmax is `sigmoid(u_i)`, and its logarithm
`-softplus(-u_i)`. Both terms of the odds have inputs of their own and every step is monotone, so that intervals of
outputs are exact. For linear bounds the logarithm is `x_i - log sum_j exp(x_j)`, the same sum for all: in a difference
of two outputs it cancels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring_plugins.propagation.curves import Sigmoid
from sparring_plugins.propagation.log_sums import LogSum
from sparring_plugins.propagation.moves import Rolled
from sparring_plugins.propagation.nodes import Interval, magnitude
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rounded import Rounded
from sparring_plugins.propagation.rounding import gamma
from sparring_plugins.propagation.rules.appending import (
    added,
    constant,
    curved,
    expanded,
    permuted,
    reshaped,
    scaled,
    sliced,
)  # fmt: skip
from sparring_plugins.propagation.rules.shapes import inner
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _log_summed(tracing: Tracing, path: str, parts: list[Ref]) -> Ref:
    if len(parts) == 1:
        return parts[0]
    return tracing.add(LogSum(path, tuple(part.place for part in parts), parts[0].shape), *parts)


def _log_summed_over(tracing: Tracing, path: str, x: Ref, dim: int) -> Ref:
    """Over one dimension, which stays with width 1; it counts the batch as 0."""
    return _log_summed(
        tracing, path, [sliced(tracing, path, x, dim, slice(spot, spot + 1)) for spot in range(x.shape[dim - 1])]
    )


def _odds(tracing: Tracing, path: str, x: Ref) -> Ref:
    """`x_i - log sum_{j != i} exp(x_j)` over the last dimension."""
    parts = [tracing.add(Rolled(path, x.place, x.shape, shift), x) for shift in range(1, x.shape[-1])]
    return added(tracing, path, x, _log_summed(tracing, path, parts), -1)


def _softmax(
    tracing: Tracing, path: str, input: Ref, dim: Any = None, *, dtype: Any = None, _stacklevel: int = 3
) -> Ref:
    def of_last(x: Ref) -> Ref:
        if x.shape[-1] == 1:
            return scaled(tracing, path, x, constant(tracing, x, 0.0), constant(tracing, x, 1.0))
        share = curved(tracing, path, _odds(tracing, path, x), Sigmoid())
        return tracing.add(Rounded(path, (share.place,), x.shape, reach), share)

    def reach(share: Interval) -> Tensor:
        """A sum of `n` exponentials, each right to 20 units, and a difference in an exponent: `t exp(-t) < 0.4`."""
        few = 4 * gamma(input.shape[inner(tracing, input, dim) - 1], share.low.dtype)
        return magnitude(share) * few + 2 * torch.finfo(share.low.dtype).eps

    return _over_last(tracing, path, input, dim, dtype, of_last)


def _log_softmax(
    tracing: Tracing, path: str, input: Ref, dim: Any = None, *, dtype: Any = None, _stacklevel: int = 3
) -> Ref:
    def of_last(x: Ref) -> Ref:
        if x.shape[-1] == 1:
            return scaled(tracing, path, x, constant(tracing, x, 0.0), None)
        total = expanded(tracing, path, _log_summed_over(tracing, path, x, len(x.shape)), x.shape)
        return _rounded(tracing, path, added(tracing, path, x, total, -1), x, within=_shares)

    return _over_last(tracing, path, input, dim, dtype, of_last)


def _log_sum(tracing: Tracing, path: str, input: Ref, dim: Any, keepdim: bool = False) -> Ref:
    dims = [dim] if isinstance(dim, int) else list(dim)
    if len(dims) != 1:
        raise tracing.refuse(f"{tracing.doing} over {len(dims)} dimensions")
    place = inner(tracing, input, dims[0])
    found = _rounded(tracing, path, _log_summed_over(tracing, path, input, place), input, place)
    return found if keepdim else reshaped(tracing, path, found, (*input.shape[: place - 1], *input.shape[place:]))


def _shares(result: Interval, x: Interval) -> Interval:
    """Least and greatest logarithm over a box: `x_i` at one end, all others at the other one."""
    share = 8 * gamma(x.low.shape[-1], x.low.dtype)
    low, high = (own - torch.logaddexp(own, _without(others)) for own, others in (x, (x.high, x.low)))
    size = (1.0 + magnitude(x).amax(-1, keepdim=True)).detach() * share
    return Interval(low - size, high + size)


def _without(x: Tensor) -> Tensor:
    """`log sum_{j != i} exp(x_j)` over the last dimension."""
    count = x.shape[-1]
    own = torch.eye(count, dtype=torch.bool, device=x.device)
    return x.unsqueeze(-2).masked_fill(own, -torch.inf).logsumexp(-1)


def _rounded(
    tracing: Tracing, path: str, result: Ref, x: Ref, dim: int = -1, within: Callable[..., Interval] | None = None
) -> Ref:
    """Widened for kernels that subtract the greatest input, sum exponentials, take the logarithm, and add it back."""
    count = x.shape[dim - 1] if dim > 0 else x.shape[dim]

    def reach(result: Interval, x: Interval) -> Tensor:
        size, dtype = magnitude(x).amax(dim, keepdim=True), x.low.dtype
        return (size * (8 * torch.finfo(dtype).eps) + 4 * gamma(count, dtype)).expand_as(result.low)

    return tracing.add(Rounded(path, (result.place, x.place), result.shape, reach, within), result, x)


def _over_last(tracing: Tracing, path: str, x: Ref, dim: Any, dtype: Any, of_last: Callable[[Ref], Ref]) -> Ref:
    """An operation on the last dimension for any other one."""
    if dtype is not None and dtype is not x.like.dtype:
        raise tracing.refuse(f"{tracing.doing} that changes the type to {dtype}")
    place, wide = inner(tracing, x, dim), len(x.shape) + 1
    order = (*(one for one in range(wide) if one != place), place)
    back = tuple(order.index(one) for one in range(wide))
    return permuted(tracing, path, of_last(permuted(tracing, path, x, order)), back)


def _module(rule: Rule) -> Rule:
    def of_module(tracing: Tracing, path: str, module: Any, input: Ref) -> Any:
        return rule(tracing, path, input, module.dim)

    return of_module


FUNCTIONS: dict[Callable[..., Any], Rule] = {
    F.softmax: _softmax,
    torch.softmax: _softmax,
    F.log_softmax: _log_softmax,
    torch.log_softmax: _log_softmax,
    torch.logsumexp: _log_sum,
}
METHODS: dict[str, Rule] = {"softmax": _softmax, "log_softmax": _log_softmax, "logsumexp": _log_sum}
MODULES: dict[Any, Rule] = {nn.Softmax: _module(_softmax), nn.LogSoftmax: _module(_log_softmax)}
