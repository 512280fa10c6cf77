"""How far floating-point results may lie from exact ones, and how bounds are widened for it.

Two computations round: the victim's own, whose results the bound must contain, and that of the bound. Both
evaluate the same sums, in an order that nobody fixes, so one standard bound covers each: a sum of `n`
products computed in any order errs by at most `gamma(n) * sum |products|` (Higham, Accuracy and Stability
of Numerical Algorithms, 2002, section 3.1). Underflow adds at most one smallest normal number a term.
"""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

__all__ = ["floor", "floor_of", "gamma", "share_of", "tiny", "tiny_of", "unsure_of"]

STEPS = 8
"""Roundings beside those of a sum: slopes, centres and radii. The shares of all nodes are added up as well, which
rounds once a node: that number is added to the terms of sums over a row's coefficients."""


@cache
def gamma(terms: int, dtype: torch.dtype) -> float:
    """Relative error of a sum of `terms` products and the few roundings around it, in any order.

    For 256 terms 1.7e-5 in single precision, 3.2e-14 in double.
    """
    share = (terms + STEPS) * torch.finfo(dtype).eps / 2
    if share >= 0.5:
        return float("inf")  # a bound then is not finite, which is refused as unknown
    return share / (1 - share)


@cache
def tiny(terms: int, dtype: torch.dtype) -> float:
    """Absolute error by underflow in a sum of `terms` products."""
    return (terms + STEPS) * torch.finfo(dtype).tiny


def tiny_of(terms: int, like: Tensor) -> Tensor:
    """`tiny` as a tensor without dimensions; adding one is cheaper than adding a number."""
    return _tiny_tensor(terms, like.dtype, like.device)


@cache
def _tiny_tensor(terms: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(tiny(terms, dtype), dtype=dtype, device=device)


@cache
def share_of(fan: int, dtype: torch.dtype, loose: float) -> float:
    """What a box through an affine map is widened by, as a share of `|W| (|c| + r) + |b|` (see `ends`).

    Args:
        fan: terms in one sum, the bias among them.
        dtype: of the victim.
        loose: relative error of the inputs that their boxes do not hold yet.
    """
    return _computed(2 * gamma(fan, dtype)) + loose


@cache
def unsure_of(fan: int, back: int, dtype: torch.dtype) -> float:
    """What a row's unit at an affine map may err by, as a share of `|W| |x| + |b|`.

    The victim's sum has `fan` terms; those of a row's coefficients, and of its share of the bias, have `back`.
    """
    return _computed(gamma(fan, dtype) + gamma(back, dtype))


def _computed(share: float) -> float:
    """A share of a size that is itself computed in sums of those terms, and so falls short by that share at most."""
    return share / (1 - share) if share < 1 else float("inf")


def floor_of(like: Tensor) -> Tensor:
    """A size of which every share is larger than what underflow takes away, as a tensor without dimensions."""
    return _floor_tensor(like.dtype, like.device)


@cache
def floor(dtype: torch.dtype) -> float:
    """`floor_of` as a number: 4e-31 in single precision, 4e-292 in double.

    A share is at least `fan eps`, and that of the floor `4 fan tiny`: results, terms and what is read may be flushed to
    zero, in the victim and here.
    """
    return 4 * torch.finfo(dtype).tiny / torch.finfo(dtype).eps


@cache
def _floor_tensor(dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor(floor(dtype), dtype=dtype, device=device)
