"""Products of dense matrices, by whichever of torch's libraries is quicker for their size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["linear"]

LARGE = 1 << 20
"""Multiplications from which oneDNN repays what it takes to be called."""

_ONEDNN = getattr(torch.ops.mkldnn, "_linear_pointwise", None) if torch.backends.mkldnn.is_available() else None


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`x W^T + b`, sums in any order; [..., n], [m, n] and [m] give [..., m].

    In single precision torch takes such products with a library that leaves half of the width of some processors'
    registers unused. Large ones go to oneDNN, which torch uses for convolutions, where nothing is differentiated.
    """
    if x.numel() * weight.shape[0] < LARGE or not _suits(x, weight):
        return F.linear(x, weight, bias)
    assert _ONEDNN is not None
    found: Tensor = _ONEDNN(x, weight, bias, "none", [], "")
    return found


def _suits(x: Tensor, weight: Tensor) -> bool:
    return (
        _ONEDNN is not None
        and x.dtype is weight.dtype is torch.float32
        and x.device.type == "cpu"
        and not torch.is_grad_enabled()
        and bool(torch.backends.mkldnn.enabled)
    )
