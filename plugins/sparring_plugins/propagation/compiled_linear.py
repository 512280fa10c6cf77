"""Boxes through small linear layers by a compiled loop, where calls of torch would take longer than the arithmetic."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.kernels.calling import ONE, address, box_kernels, serves
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.once import once
from sparring_plugins.propagation.rounding import floor, share_of, tiny, unsure_of
from sparring_plugins.propagation.small_boxes import SMALL

__all__ = ["is_small", "through_small"]


def is_small(low: Tensor, weight: Tensor) -> bool:
    """Whether the loop is for boxes [batch, inputs] and a layer [outputs, inputs]."""
    return serves(low, 0) and low.dim() == 2 and weight.numel() * low.shape[0] <= SMALL


def through_small(source: Interval, weight: Tensor, bias: Tensor | None, parts: int) -> tuple[Interval, Tensor]:
    """What `Affine.interval_and_error` gives for a linear layer in a graph of `parts` nodes.

    The error has no gradient.
    """
    if torch.is_grad_enabled():
        low, high, error = _Through.apply(*source, weight, bias, parts)
    else:
        low, high, error = _through(*source, weight, bias, parts)
    return Interval(low, high), error


def _through(low: Tensor, high: Tensor, weight: Tensor, bias: Tensor | None, parts: int) -> Any:
    low, high, weight = low.contiguous(), high.contiguous(), weight.contiguous()
    bias = None if bias is None else bias.contiguous()
    (rows, entries), batch = weight.shape, low.shape[0]
    found = low.new_empty((3, batch, rows))
    box_kernels().linear_ends(
        low.data_ptr(), high.data_ptr(), False, weight.data_ptr(), address(bias), found.data_ptr(),
        batch, entries, rows, share_of(entries + 1, low.dtype, 0.0), 0.0, floor(low.dtype),
        unsure_of(entries + 1, rows + parts, low.dtype), tiny(max(weight.shape) + parts, low.dtype), ONE[low.dtype],
    )  # fmt: skip
    return found.unbind()


class _Through(torch.autograd.Function):
    """The ends of the box with their gradients; what is added for rounding has none."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, weight: Tensor, bias: Tensor | None, parts: int) -> Any:
        return _through(low, high, weight, bias, parts)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        low, high, weight, bias, _ = inputs
        ctx.save_for_backward(low, high, weight, bias)
        ctx.mark_non_differentiable(output[2])

    @staticmethod
    @once
    def backward(ctx: Any, to_low: Tensor, to_high: Tensor, _: Any) -> Any:
        low, high, weight, bias = ctx.saved_tensors
        middle, radius = to_high + to_low, to_high - to_low
        ends = to_weight = None
        if ctx.needs_input_grad[0] or ctx.needs_input_grad[1]:
            center, reach = middle @ weight * 0.5, radius @ weight.abs() * 0.5
            ends = center - reach, center + reach
        if ctx.needs_input_grad[2]:
            reach = (high - low) * 0.5
            size = torch.maximum(high, -low)
            reach = torch.add(reach, size, alpha=share_of(weight.shape[1] + 1, size.dtype, 0.0))
            to_weight = torch.addcmul(middle.T @ torch.lerp(low, high, 0.5), weight.sign(), radius.T @ reach)
        to_bias = None if bias is None else middle.sum(0)
        return *(ends or (None, None)), to_weight, to_bias, None
