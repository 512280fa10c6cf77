"""Both ends of a linear layer's boxes, with derivatives that are as cheap as they can be."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.dense import crossed, linear
from sparring_plugins.propagation.ends import widened
from sparring_plugins.propagation.middles import reaches
from sparring_plugins.propagation.rounding import floor_of
from sparring_plugins.propagation.small_boxes import small, through_small

__all__ = ["LinearEnds", "linear_ends"]


def linear_ends(
    first: Tensor, second: Tensor | None, weight: Tensor, bias: Tensor | None, share: float, off: float
) -> Tensor:
    """`W c + b -+ share (|W| reach + |b|)`, [2, batch, ..., outputs] (see `ends`), where nothing is differentiated.

    `first` are centres [batch, ..., inputs] and `second` reaches; or boxes [2, batch, ..., inputs] and None.
    """
    if small(first, second, weight, bias):
        return through_small(first, second, weight, bias, share, off)
    center, reach = reaches(first, share, off) if second is None else (first, second)
    floor = floor_of(center)
    bulk = floor.expand(weight.shape[0]) if bias is None else torch.hypot(bias, floor)
    return widened(linear(center, weight, bias), linear(reach, weight.abs(), bulk), share)


class LinearEnds(torch.autograd.Function):
    """`linear_ends`, for training.

    Nothing but the boxes is kept for the way back. Allowances for rounding have no derivatives but in the reach, so
    that of the radius of an input is `|W|`, and that of `|W|` its reach. The way back is itself differentiable.
    """

    @staticmethod
    def forward(
        first: Tensor, second: Tensor | None, weight: Tensor, bias: Tensor | None, share: float, off: float
    ) -> Tensor:
        """As `linear_ends`; centres and reaches, where given, are constants."""
        return linear_ends(first, second, weight, bias, share, off)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep the boxes."""
        first, second, weight, _, ctx.share, ctx.off = inputs
        ctx.save_for_backward(first, second, weight)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        """Through centres and radii, two products each."""
        first, second, weight = ctx.saved_tensors
        of_both, _, of_weight, of_bias, *_ = ctx.needs_input_grad
        lower, upper = grad.flatten(1, -2).unbind()
        # The centre is half the sum of the ends, the radius half their difference: halves serve the boxes.
        of_center = torch.lerp(lower, upper, 0.5)
        of_radius = upper - of_center
        found: list[Tensor | None] = [None] * 6
        if of_both:
            found[0] = widened(linear(of_center, weight.T), linear(of_radius, weight.abs().T), 1.0).view_as(first)
        if of_weight:
            middle, reach = reaches(first, ctx.share, ctx.off) if second is None else (first, second)
            apart = crossed(of_radius, reach.flatten(0, -2)) * weight.sign()
            found[2] = torch.add(crossed(of_center, middle.flatten(0, -2)), apart, alpha=ctx.share) * 2
        if of_bias:
            found[3] = of_center.sum(0) * 2
        return tuple(found)
