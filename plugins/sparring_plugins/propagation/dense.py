"""Products of dense matrices, by whichever of torch's libraries is quicker for their size."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["crossed", "linear"]

LARGE = 1 << 20
"""Multiplications from which oneDNN repays what it takes to be called."""
TALL = 1 << 10
"""Rows of a sum over rows that oneDNN takes at once: it turns them first, which must stay in a cache."""

_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x W^T + b`, sums in any order; [..., n], [m, n] and [m] give [..., m].

    In single precision torch takes such products with a library that leaves half of the width of some processors'
    registers unused. Large ones go to oneDNN, which torch uses for convolutions.
    """
    if x.numel() * weight.shape[0] < LARGE or not _suits(x, weight):
        return F.linear(x, weight, bias)
    if torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad):
        found: Tensor = _Linear.apply(x, weight, bias)
        return found
    return _product(x, weight, bias)


def crossed(x: Tensor, y: Tensor) -> Tensor:
    """`x^T y`, sums in any order; [n, k] and [n, m] give [k, m]."""
    if x.shape[1] > y.shape[1]:
        return crossed(y, x).T
    if x.shape[0] <= TALL or x.numel() * y.shape[1] < LARGE or not _suits(x, y):
        return linear(x.T, y.T)
    return torch.stack([linear(a.T, b.T) for a, b in zip(x.split(TALL), y.split(TALL), strict=True)]).sum(0)


def _suits(x: Tensor, weight: Tensor) -> bool:
    return (
        _ONEDNN is not None
        and x.dtype is weight.dtype is torch.float32
        and x.device.type == "cpu"
        and bool(torch.backends.mkldnn.enabled)
    )


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    assert _ONEDNN is not None
    found: Tensor = _ONEDNN(x, weight, bias, "none", [], "")
    return found


class _Linear(torch.autograd.Function):
    """The product with its derivatives, which are products too; differentiable as often as one likes."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        return _product(x, weight, bias)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor | None], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, weight = ctx.saved_tensors
        of_x, of_weight, of_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        return (
            linear(grad, weight.T) if of_x else None,
            crossed(rows, x.flatten(0, -2)) if of_weight else None,
            rows.sum(0) if of_bias else None,
        )
