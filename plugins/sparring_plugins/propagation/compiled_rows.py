"""Rows of coefficients through compiled loops: what `backward` does with torch, in one pass over memory.

Bits are the same with gradients and without. What goes in is all that is kept for gradients.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.kernels.calling import ONE, address, row_kernels
from sparring_plugins.propagation.once import once
from sparring_plugins.propagation.rounding import tiny

__all__ = ["Share", "least", "least_back", "least_over_boxes", "moved", "moved_back", "shares", "through_lines"]

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
        return moved(rows, parts, take, bias, odd, even, mirrored)
    found, known = _Moving.apply(rows, *parts, bias, take, mirrored)
    return found, _with_shares(known, odd, even, mirrored)


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
        return least(rows, *box, take, odd, even, mirrored)
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


def moved(
    rows: Tensor, lines: Sequence[Tensor], take: Tensor | None, bias: Tensor | None, odd: Share, even: Share,
    mirrored: bool,
) -> tuple[Tensor, Tensor]:  # fmt: skip
    """As `through_lines`, with `lines` in the order of `Lines`, where nothing is differentiated."""
    rows, odd, even = rows.contiguous(), _dense(odd), _dense(even)
    parts, bias = [part.contiguous() for part in lines], None if bias is None else bias.contiguous()
    samples, (first, count), shape = parts[0].shape[0], rows.shape[:2], rows.shape[2:]
    batch = samples if take is None else take.shape[0]
    after = 2 * count if mirrored else count
    found, known = rows.new_empty((batch, after, *shape)), rows.new_empty((batch, after))
    row_kernels().move(
        rows.data_ptr(), parts[0].data_ptr(), parts[1].data_ptr(), parts[2].data_ptr(), parts[3].data_ptr(),
        address(take), address(bias), address(odd), address(even), found.data_ptr(), known.data_ptr(),
        batch, samples, first, _batch(odd), _batch(even), count, shape.numel(), mirrored, ONE[rows.dtype],
        ONE[torch.float64],
    )  # fmt: skip
    return found, known


class _Moving(torch.autograd.Function):
    """`move` with its gradients in rows, lines and bias."""

    @staticmethod
    def forward(
        rows: Tensor, lower: Tensor, low_shift: Tensor, upper: Tensor, high_shift: Tensor, bias: Tensor | None,
        take: Tensor | None, mirrored: bool,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        return moved(rows, (lower, low_shift, upper, high_shift), take, bias, 0.0, 0.0, mirrored)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, mirrored = inputs
        ctx.save_for_backward(*tensors)
        ctx.mirrored = mirrored

    @staticmethod
    @once
    def backward(ctx: Any, to_moved: Tensor, to_known: Tensor) -> Any:
        rows, *lines, bias, take = ctx.saved_tensors
        to_rows, to_lines, to_bias = moved_back(rows, lines, take, bias, to_moved, to_known, ctx.mirrored)
        return to_rows, *to_lines.unbind(), to_bias, None, None


def moved_back(
    rows: Tensor, lines: Sequence[Tensor], take: Tensor | None, bias: Tensor | None, to_moved: Tensor, to_known: Tensor,
    mirrored: bool,
) -> tuple[Tensor, Tensor, Tensor | None]:  # fmt: skip
    """Gradients in rows, lines [4, samples, *shape] and bias from those in what `moved` gives."""
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
        mirrored, ONE[rows.dtype],
    )  # fmt: skip
    return to_rows, to_lines, to_bias


def least(
    rows: Tensor, center: Tensor, radius: Tensor, take: Tensor | None, odd: Share, even: Share, mirrored: bool
) -> Tensor:
    """As `least_over_boxes`, where nothing is differentiated."""
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
        return least(rows, center, radius, take, 0.0, 0.0, mirrored)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        *tensors, mirrored = inputs
        ctx.save_for_backward(*tensors)
        ctx.mirrored = mirrored

    @staticmethod
    @once
    def backward(ctx: Any, given: Tensor) -> Any:
        *tensors, take = ctx.saved_tensors
        rows, center, radius = tensors
        return *least_back(rows, (center, radius), take, given, ctx.mirrored, ctx.needs_input_grad[1:3]), None, None


def least_back(
    rows: Tensor, box: tuple[Tensor, Tensor], take: Tensor | None, given: Tensor, mirrored: bool, wanted: Sequence[bool]
) -> tuple[Tensor, Tensor | None, Tensor | None]:
    """Gradients in rows and, where wanted, the box's centre and radius from those in what `least` gives."""
    middle, width = given, -given
    if mirrored:
        own, turned = given.chunk(2, 1)
        middle, width = own - turned, -(own + turned)
    points = [(part if take is None else part[take]).to(rows.dtype).unsqueeze(1) for part in box]
    to_rows = torch.addcmul(middle.unsqueeze(2) * points[0], width.unsqueeze(2) * points[1], rows.sign())
    to_box: list[Tensor | None] = [None, None]
    for place, (weight, row) in enumerate(((middle, rows), (width, rows.abs()))):
        if wanted[place]:
            found = (weight.unsqueeze(1) @ row).squeeze(1).to(box[0].dtype)
            to_box[place] = found if take is None else torch.zeros_like(box[0]).index_add(0, take, found)
    return to_rows.sum_to_size(rows.shape), to_box[0], to_box[1]


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
    @once
    def backward(ctx: Any, given: Tensor | None, _: Any) -> Any:
        rows, bias = ctx.saved_tensors
        if bias is None or given is None:
            return None, None, None, None
        to_rows = given[..., None] * bias.flatten()
        return to_rows.view(rows.shape), (given.flatten() @ rows.flatten(2).flatten(0, 1)).view(bias.shape), None, None
