"""Rows of coefficients through compiled loops: what `backward` does with torch, in one pass over memory.

Bits are the same with gradients and without. What goes in is all that is kept for gradients.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.kernels.calling import ONE, address, row_kernels
from sparring_plugins.propagation.rounding import tiny

__all__ = ["Share", "least_over_boxes", "shares", "through_lines"]

Share = Tensor | float
"""Part of each row's bound, [batch or 1, rows]; a number is zero."""


def through_lines(
    rows: Tensor, lines: Lines, take: Tensor | None, bias: Tensor | None, odd: Share, even: Share, mirrored: bool
) -> tuple[Tensor, Tensor]:
    """Rows moved through lines, where rows and their negatives part.

    Args:
        rows: [batch or 1, rows, *shape].
        lines: [samples, *shape].
        take: the sample of each entry of the batch, [batch], or None where these are the same.
        bias: of the layer below, [*shape]; its share is added.
        odd: known shares of rows that turn with their sign.
        even: those that do not.
        mirrored: rows stand for themselves and for their negatives.

    Returns:
        Moved rows, [batch, rows or 2 * rows, *shape], and known shares, [batch, rows or 2 * rows].
    """
    parts = (lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept)
    if not torch.is_grad_enabled():
        return _moved(rows, parts, take, bias, odd, even, mirrored)
    moved, known = _Moving.apply(rows, *parts, bias, take, mirrored)
    return moved, _with_shares(known, odd, even, mirrored)


def least_over_boxes(
    rows: Tensor, box: tuple[Tensor, Tensor], take: Tensor | None, odd: Share, even: Share, mirrored: bool
) -> Tensor:
    """Least values of rows over boxes, [batch, rows or 2 * rows], known shares added.

    Args:
        rows: [batch or 1, rows, features].
        box: centre and radius as of `Enclosure.box`, [samples, features].
        take: as of `through_lines`, and so are the others.
        odd: see there.
        even: see there.
        mirrored: see there.
    """
    if not torch.is_grad_enabled():
        return _least(rows, *box, take, odd, even, mirrored)
    return _with_shares(_Least.apply(rows, *box, take, mirrored), odd, even, mirrored)


def shares(
    rows: Tensor, bias: Tensor | None, error: Tensor | None, take: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    """`rows b`, [batch or 1, rows], and `|rows|` times an error, [batch, rows], which has no gradient.

    Args:
        rows: [batch or 1, rows, *shape].
        bias: [*shape].
        error: [samples, *shape].
        take: as of `through_lines`.
    """
    if not torch.is_grad_enabled():
        return _shares(rows, bias, error, take)
    odd, even = _Shares.apply(rows, bias, error, take)
    return odd, even


def _with_shares(found: Tensor, odd: Share, even: Share, mirrored: bool) -> Tensor:
    """Known shares added as the loops do, to the last digit."""
    if mirrored:
        odd = torch.cat([odd, -odd], 1) if isinstance(odd, Tensor) else odd
        even = torch.cat([even, even], 1) if isinstance(even, Tensor) else even
    return found + (odd - even)


def _batch(values: Share) -> int:
    return values.shape[0] if isinstance(values, Tensor) else 1


def _dense(values: Share) -> Share:
    return values.contiguous() if isinstance(values, Tensor) else values


def _moved(
    rows: Tensor, lines: tuple[Tensor, ...], take: Tensor | None, bias: Tensor | None, odd: Share, even: Share,
    mirrored: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    rows, odd, even = rows.contiguous(), _dense(odd), _dense(even)
    parts, bias = [part.contiguous() for part in lines], None if bias is None else bias.contiguous()
    samples, (first, count), shape = parts[0].shape[0], rows.shape[:2], rows.shape[2:]
    batch = samples if take is None else take.shape[0]
    after = 2 * count if mirrored else count
    moved, known = rows.new_empty((batch, after, *shape)), rows.new_empty((batch, after))
    row_kernels().move(
        rows.data_ptr(), parts[0].data_ptr(), parts[1].data_ptr(), parts[2].data_ptr(), parts[3].data_ptr(),
        address(take), address(bias), address(odd), address(even), moved.data_ptr(), known.data_ptr(),
        batch, samples, first, _batch(odd), _batch(even), count, shape.numel(), mirrored, ONE[rows.dtype],
        ONE[torch.float64],
    )  # fmt: skip
    return moved, known


class _Moving(torch.autograd.Function):
    """`move` with its gradients in rows, lines and bias."""

    @staticmethod
    def forward(
        rows: Tensor, lower: Tensor, low_shift: Tensor, upper: Tensor, high_shift: Tensor, bias: Tensor | None,
        take: Tensor | None, mirrored: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        return _moved(rows, (lower, low_shift, upper, high_shift), take, bias, 0.0, 0.0, mirrored)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, mirrored = inputs
        ctx.save_for_backward(*tensors)
        ctx.mirrored = mirrored

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, to_moved: Tensor, to_known: Tensor) -> Any:
        rows, *lines, bias, take = ctx.saved_tensors
        rows, parts = rows.contiguous(), [part.contiguous() for part in lines]
        bias = None if bias is None else bias.contiguous()
        to_moved, to_known = to_moved.contiguous(), to_known.contiguous()
        to_rows, to_lines = torch.zeros_like(rows), rows.new_zeros((4, *parts[0].shape))
        to_bias = None if bias is None else torch.zeros_like(bias)
        row_kernels().move_back(
            rows.data_ptr(), parts[0].data_ptr(), parts[1].data_ptr(), parts[2].data_ptr(), parts[3].data_ptr(),
            address(take), address(bias), to_moved.data_ptr(), to_known.data_ptr(),
            to_rows.data_ptr(), to_lines.data_ptr(), address(to_bias),
            to_moved.shape[0], parts[0].shape[0], rows.shape[0], rows.shape[1], rows.shape[2:].numel(),
            ctx.mirrored, ONE[rows.dtype],
        )  # fmt: skip
        return to_rows, *to_lines.unbind(), to_bias, None, None


def _least(
    rows: Tensor, center: Tensor, radius: Tensor, take: Tensor | None, odd: Share, even: Share, mirrored: bool
) -> Tensor:
    rows, odd, even = rows.contiguous(), _dense(odd), _dense(even)
    center, radius = center.contiguous(), radius.contiguous()
    (samples, n), (first, count) = center.shape, rows.shape[:2]
    batch = samples if take is None else take.shape[0]
    found = rows.new_empty((batch, 2 * count if mirrored else count))
    coarse = torch.finfo(rows.dtype).eps if center.dtype is not rows.dtype else 0.0
    row_kernels().over_boxes(
        rows.data_ptr(), center.data_ptr(), radius.data_ptr(), address(take), address(odd), address(even),
        found.data_ptr(), batch, samples, first, _batch(odd), _batch(even), count, n, mirrored,
        coarse, tiny(0, rows.dtype), ONE[rows.dtype], ONE[center.dtype],
    )  # fmt: skip
    return found


class _Least(torch.autograd.Function):
    """`over_boxes` with its gradients in rows and box."""

    @staticmethod
    def forward(rows: Tensor, center: Tensor, radius: Tensor, take: Tensor | None, mirrored: bool) -> Tensor:
        return _least(rows, center, radius, take, 0.0, 0.0, mirrored)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, mirrored = inputs
        ctx.save_for_backward(*tensors)
        ctx.mirrored = mirrored

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor) -> Any:
        rows, center, radius, take = ctx.saved_tensors
        middle, width = given, -given
        if ctx.mirrored:
            own, turned = given.chunk(2, 1)
            middle, width = own - turned, -(own + turned)
        picked = (center, radius) if take is None else (center[take], radius[take])
        points = (part.to(rows.dtype).unsqueeze(1) for part in picked)
        to_rows = middle.unsqueeze(2) * next(points) + width.unsqueeze(2) * next(points) * rows.sign()
        to_box: list[Tensor | None] = [None, None]
        for place, (weight, row) in enumerate(((middle, rows), (width, rows.abs()))):
            if ctx.needs_input_grad[1 + place]:
                found = (weight.unsqueeze(1) @ row).squeeze(1).to(center.dtype)
                to_box[place] = found if take is None else torch.zeros_like(center).index_add(0, take, found)
        return to_rows.sum_to_size(rows.shape), *to_box, None, None


def _shares(
    rows: Tensor, bias: Tensor | None, error: Tensor | None, take: Tensor | None
) -> tuple[Tensor | None, Tensor | None]:
    rows, bias = rows.contiguous(), None if bias is None else bias.contiguous()
    first, count = rows.shape[:2]
    odd = None if bias is None else rows.new_zeros((first, count))
    even, samples = None, first
    if error is not None:
        error, samples = error.contiguous(), error.shape[0]
        even = rows.new_zeros((samples if take is None else take.shape[0], count))
    batch = first if even is None else even.shape[0]
    row_kernels().shares(
        rows.data_ptr(), address(bias), address(error), address(take), address(odd), address(even),
        batch, samples, first, count, rows.shape[2:].numel(), ONE[rows.dtype], ONE[torch.float64],
    )  # fmt: skip
    return odd, even


class _Shares(torch.autograd.Function):
    """`shares` with the gradients of the first in rows and bias."""

    @staticmethod
    def forward(rows: Tensor, bias: Tensor | None, error: Tensor | None, take: Tensor | None) -> Any:
        return _shares(rows, bias, error, take)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.mark_non_differentiable(*(part for part in output[1:] if part is not None))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, given: Tensor | None, _: Any) -> Any:
        rows, bias = ctx.saved_tensors
        if bias is None or given is None:
            return None, None, None, None
        to_rows = given[..., None] * bias.flatten()
        return to_rows.view(rows.shape), (given.flatten() @ rows.flatten(2).flatten(0, 1)).view(bias.shape), None, None
