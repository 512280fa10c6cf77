"""Boxes through small linear layers, where calls of torch would take longer than the arithmetic."""

from __future__ import annotations

from torch import Tensor

from sparring_plugins.propagation.kernels.calling import ONE, address, box_kernels
from sparring_plugins.propagation.rounding import floor

__all__ = ["small", "through_small"]

SMALL = 1 << 17
"""Multiplications of a matrix with a batch up to which the kernel is quicker than two products of torch."""


def small(first: Tensor, second: Tensor | None, weight: Tensor, bias: Tensor | None) -> bool:
    """Whether the kernel is for this layer and these boxes, or centres with reaches."""
    return (
        weight.numel() * first.shape[-2] <= SMALL
        and first.dim() == (3 if second is None else 2)
        and weight.is_cpu
        and weight.is_contiguous()
        and first.is_contiguous()
        and (bias is None or bias.is_contiguous())
        and (second is None or second.is_contiguous())
    )


def through_small(
    first: Tensor, second: Tensor | None, weight: Tensor, bias: Tensor | None, share: float, off: float
) -> Tensor:
    """`linear_ends` where `small` holds, [2, batch, outputs]."""
    (rows, entries), batch = weight.shape, first.shape[-2]
    found, start = first.new_empty(2, batch, rows), first.data_ptr()
    other = start + batch * entries * first.element_size() if second is None else second.data_ptr()
    box_kernels().linear_ends(
        start, other, second is not None, weight.data_ptr(), address(bias),
        found.data_ptr(), batch, entries, rows, share, off, floor(weight.dtype), 0.0, 0.0,
        ONE[weight.dtype],
    )  # fmt: skip
    return found
