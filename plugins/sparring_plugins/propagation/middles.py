"""Centres of boxes, and how far boxes reach from them: one pass over memory where loops are compiled.

Bits are the same with gradients and without.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.kernels.calling import ONE, box_kernels, serves
from sparring_plugins.propagation.rounding import floor

__all__ = ["middles", "reach_of", "reaches", "to_ends"]


def middles(
    low: Tensor, high: Tensor, share: float, least: float, dtype: torch.dtype, sized: bool
) -> tuple[Tensor, Tensor]:
    """Centres, and radii with `share` times the size and `least` more, in a type.

    Sizes are largest absolute values; `sized` puts them behind the radii, [2 * batch, *shape]. Shares of them have no
    gradient.
    """
    if serves(low, low.numel()):
        run = _Middles.apply if torch.is_grad_enabled() else _middles
        center, radius = run(low, high, share, least, dtype, sized)
        return center, radius
    low, high = low.to(dtype), high.to(dtype)
    center = torch.lerp(low, high, 0.5)
    size = torch.maximum(high.detach(), -low.detach())
    radius = torch.add(high - center, size, alpha=share) + least
    return center, torch.cat([radius, size]) if sized else radius


def reaches(both: Tensor, share: float, off: float) -> tuple[Tensor, Tensor]:
    """Centres and `|c| + r + (r + off) / share`, where the latter has a gradient in the radius alone (see `ends`)."""
    low, high = both.unbind()
    if serves(low, low.numel()):
        run = _Reaches.apply if torch.is_grad_enabled() else _reaches
        center, reach = run(low, high, share, off)
        return center, reach
    center = torch.lerp(low, high, 0.5)
    return center, reach_of(center, high - center, share, off)


def reach_of(center: Tensor, radius: Tensor, share: float, off: float = 0.0) -> Tensor:
    """`|c| + r + (r + off) / share`; only the radius has a history there, sizes are no matter of gradients."""
    size = center.detach().abs().clamp_min_(floor(center.dtype))
    if off:
        size.add_(off / share)
    stretch = 1 + 1 / share
    return torch.add(size, radius, alpha=stretch) if radius.requires_grad else size.add_(radius, alpha=stretch)


def _middles(
    low: Tensor, high: Tensor, share: float, least: float, dtype: torch.dtype, sized: bool
) -> tuple[Tensor, Tensor]:
    low, high = low.contiguous(), high.contiguous()
    batch, *shape = low.shape
    center = low.new_empty((batch, *shape), dtype=dtype)
    radius = low.new_empty((2 * batch if sized else batch, *shape), dtype=dtype)
    box_kernels().middles(
        low.data_ptr(), high.data_ptr(), center.data_ptr(), radius.data_ptr(), low.numel(), share, least, sized,
        ONE[low.dtype], ONE[dtype],
    )  # fmt: skip
    return center, radius


def _reaches(low: Tensor, high: Tensor, share: float, off: float) -> tuple[Tensor, Tensor]:
    low, high = low.contiguous(), high.contiguous()
    center, reach = torch.empty_like(low), torch.empty_like(low)
    box_kernels().reaches(
        low.data_ptr(), high.data_ptr(), center.data_ptr(), reach.data_ptr(), low.numel(), share, off,
        floor(low.dtype), ONE[low.dtype],
    )  # fmt: skip
    return center, reach


class _Middles(torch.autograd.Function):
    """`_middles` with its gradients in both ends."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, share: float, least: float, dtype: torch.dtype, sized: bool) -> Any:
        return _middles(low, high, share, least, dtype, sized)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.batch, ctx.dtype = inputs[0].shape[0], inputs[0].dtype

    @staticmethod
    def backward(ctx: Any, to_center: Tensor, to_radius: Tensor) -> Any:
        return *to_ends(to_center, to_radius[: ctx.batch], ctx.dtype), None, None, None, None


class _Reaches(torch.autograd.Function):
    """`_reaches` likewise."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, share: float, off: float) -> Any:
        return _reaches(low, high, share, off)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.stretch = 1 + 1 / inputs[2]

    @staticmethod
    def backward(ctx: Any, to_center: Tensor, to_reach: Tensor) -> Any:
        return *to_ends(to_center, to_reach * ctx.stretch, to_center.dtype), None, None


def to_ends(to_center: Tensor, to_radius: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Gradients in both ends: the centre is half their sum, the radius half their difference."""
    return ((to_center - to_radius) * 0.5).to(dtype), ((to_center + to_radius) * 0.5).to(dtype)
