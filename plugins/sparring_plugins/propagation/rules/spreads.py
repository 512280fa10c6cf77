"""Norms over dimensions, vectors brought to a norm of 1, variances and standard deviations."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_plugins.propagation.curves import Abs, Clamp, Reciprocal, Rsqrt, Sqrt, Square
from sparring_plugins.propagation.domains import Floored, Within
from sparring_plugins.propagation.nodes import Interval, magnitude
from sparring_plugins.propagation.reductions import Centred, Reduced
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rounded import Rounded
from sparring_plugins.propagation.rounding import gamma, tiny
from sparring_plugins.propagation.rules.appending import (
    constant,
    curved,
    expanded,
    multiplied,
    permuted,
    reshaped,
    scaled,
)
from sparring_plugins.propagation.rules.shapes import inner
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]

EUCLIDEAN = (None, "fro", 2, 2.0)


def _norm(
    tracing: Tracing, path: str, input: Ref, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Ref:
    """Of vectors along dimensions: the Euclidean norm, the sum of sizes, or the largest of them."""
    if dtype not in (None, input.like.dtype):
        raise tracing.refuse(f"{tracing.doing} in another type")
    places = _places(tracing, input, dim)
    if p in EUCLIDEAN:
        return curved(tracing, path, _total(tracing, path, input, Square(), places, keepdim), Sqrt())
    if p == 1:
        return _total(tracing, path, input, Abs(), places, keepdim)
    if p == math.inf:
        sizes = curved(tracing, path, input, Abs())
        found: Ref = tracing.apply(torch.amax, sizes, places, keepdim)
        return found
    raise tracing.refuse(f"{tracing.doing} of order {p!r}")


def _norm_by_name(
    tracing: Tracing, path: str, input: Ref, p: Any = "fro", dim: Any = None, keepdim: bool = False, out: Any = None,
    dtype: Any = None,
) -> Ref:  # fmt: skip
    """`torch.norm`, which hands on an output that nobody gave."""
    _no_output(tracing, out)
    return _norm(tracing, path, input, p, dim, keepdim, dtype)


def _no_output(tracing: Tracing, out: Any) -> None:
    """Refuse a tensor that is to be written to."""
    if out is not None:
        raise tracing.refuse(f"{tracing.doing} into another tensor")


def _vector_norm(
    tracing: Tracing, path: str, x: Ref, ord: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Ref:
    return _norm(tracing, path, x, ord, dim, keepdim, dtype)


def _linalg_norm(
    tracing: Tracing, path: str, A: Ref, ord: Any = None, dim: Any = None, keepdim: bool = False, dtype: Any = None
) -> Ref:
    if ord is not None and not isinstance(dim, int):
        raise tracing.refuse(f"{tracing.doing} of a matrix")
    return _norm(tracing, path, A, ord, dim, keepdim, dtype)


def _normalize(
    tracing: Tracing, path: str, input: Ref, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None
) -> Ref:
    """`x / max(|x|, eps)`, of which no element is beyond 1."""
    _no_output(tracing, out)
    if p in EUCLIDEAN:
        # One curve in place of two for the root and its reciprocal.
        squares = _total(tracing, path, input, Square(), _places(tracing, input, dim), keep=True)
        inverse = _inverse(tracing, path, squares, Rsqrt(), eps * eps)
    else:
        inverse = _inverse(tracing, path, _norm(tracing, path, input, p, dim, keepdim=True), Reciprocal(), eps)
    product = multiplied(tracing, path, input, expanded(tracing, path, inverse, input.shape))
    count = math.prod(input.shape) // max(1, math.prod(inverse.shape))
    limit = 1.0 + 4 * gamma(count, input.like.dtype)
    return curved(tracing, path, product, Clamp(-limit, limit))


def _inverse(tracing: Tracing, path: str, x: Ref, curve: Any, least: float) -> Ref:
    above = curved(tracing, path, x, Clamp(least, None))
    return curved(tracing, path, above, Within(Floored(curve, least), path))


def _places(tracing: Tracing, x: Ref, dim: Any) -> tuple[int, ...]:
    """Dimensions that are summed over, which count the batch as 0."""
    dims = (dim,) if isinstance(dim, int) else tuple(dim or ())
    if not dims:
        raise tracing.refuse(f"{tracing.doing} over the batch")
    return tuple(sorted({inner(tracing, x, one) for one in dims}))


def _total(tracing: Tracing, path: str, x: Ref, curve: Any, places: tuple[int, ...], keep: bool) -> Ref:
    """The sum of a curve's values."""
    found: Ref = tracing.apply(torch.sum, curved(tracing, path, x, curve), places, keep)
    return found


def _variance(
    tracing: Tracing, path: str, input: Ref, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
    correction: float | None = None,
) -> Ref:  # fmt: skip
    """Mean squared distance from the mean."""
    places = _places(tracing, input, dim)
    others = [place for place in range(1, len(input.shape) + 1) if place not in places]
    count = math.prod(input.shape[place - 1] for place in places)
    less = correction if correction is not None else int(unbiased)
    if less >= count:
        raise tracing.refuse(f"{tracing.doing} of {count} numbers with {less} taken away")
    wide = tuple(input.shape[place - 1] for place in others)
    flat = reshaped(tracing, path, permuted(tracing, path, input, (0, *others, *places)), (*wide, count))
    apart = tracing.add(Centred(path, flat.place, flat.shape), flat)
    squares, thin = curved(tracing, path, apart, Square()), (*wide, 1)
    mean = tracing.add(Reduced(path, squares.place, thin, flat.shape, (len(thin),), True, True), squares)
    if less:
        mean = scaled(tracing, path, mean, constant(tracing, mean, count / (count - less)), None)

    def reach(found: Interval, x: Interval) -> Tensor:
        """Welford's way and two passes give a standard deviation right to `gamma` times the largest input.

        Chan, Golub, LeVeque 1983; `more` is what the variance grows by with each unit of that.
        """
        share, more = 2 * gamma(count, x.low.dtype), count / (count - less)
        off = share * magnitude(x).amax(-1, keepdim=True) * more
        high = found.high.clamp_min(0)
        return off * (2 * high.sqrt() + off) + share * high + tiny(count, x.low.dtype)

    rounded = tracing.add(Rounded(path, (mean.place, flat.place), thin, reach), mean, flat)
    kept = tuple(1 if place in places else size for place, size in enumerate(input.shape, 1))
    return reshaped(tracing, path, curved(tracing, path, rounded, Clamp(0.0, None)), kept if keepdim else wide)


def _deviation(tracing: Tracing, path: str, input: Ref, *args: Any, **kwargs: Any) -> Ref:
    return curved(tracing, path, _variance(tracing, path, input, *args, **kwargs), Sqrt())


def _with_mean(rule: Rule) -> Rule:
    def both(
        tracing: Tracing, path: str, input: Ref, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
        correction: float | None = None,
    ) -> tuple[Ref, Ref]:  # fmt: skip
        mean: Ref = tracing.apply(torch.mean, input, dim, keepdim)
        return rule(tracing, path, input, dim, unbiased, keepdim, correction), mean

    return both


METHODS: dict[str, Rule] = {"norm": _norm, "var": _variance, "std": _deviation}
FUNCTIONS: dict[Callable[..., Any], Rule] = {
    torch.norm: _norm_by_name,
    torch.linalg.vector_norm: _vector_norm,
    torch.linalg.norm: _linalg_norm,
    F.normalize: _normalize,
    torch.var: _variance,
    torch.std: _deviation,
    torch.var_mean: _with_mean(_variance),
    torch.std_mean: _with_mean(_deviation),
}
MODULES: dict[Any, Rule] = {}
