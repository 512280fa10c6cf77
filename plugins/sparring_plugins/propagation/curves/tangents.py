"""Where the tangent through an end point of tanh touches it: one table, made when first asked for.

The table chooses slopes and nothing else. No bound is less sound for a wrong entry, only less tight.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = ["Table", "table_of", "tanh_tangent"]

_LEAST, _MOST = 2.0**-12, 2.0**36  # distances of the end point from zero that the table knows
_BITS = {torch.float32: (torch.int32, 15), torch.float64: (torch.int64, 44)}  # shifts that keep 8 bits of mantissa


def tanh_tangent(left: Tensor) -> Tensor:
    """The `d >= 0` at which the tangent of tanh passes through `(left, tanh(left))`; negative for `left > 0`.

    The leading bits of a floating-point number are the index: 256 pieces of line for each power of two, a continuous
    function that is right to 1e-6 and differentiable in `left`.
    """
    intercepts, slopes, first = _tanh_pieces(left.dtype, left.device)
    kind, shift = _BITS[left.dtype]
    piece = (left.detach().clamp(-_MOST, -_LEAST).view(kind) >> shift) - first
    if kind != torch.int64:
        piece = piece.long()
    piece.clamp_(0, len(slopes) - 1)  # what is no number has bits beyond the table, and stays no number
    return torch.addcmul(intercepts.take(piece), slopes.take(piece), left)


@dataclass(frozen=True, slots=True)
class Table:
    """The same table for loops that look it up by themselves: by the bits of the distance from zero."""

    intercepts: Tensor
    slopes: Tensor
    mask: int  # all bits but the sign
    nearest: int  # bits of the least distance
    farthest: int
    shift: int  # how many bits do not count


@cache
def table_of(dtype: torch.dtype) -> Table:
    """The table of `tanh_tangent` for a processor."""
    kind, shift = _BITS[dtype]
    intercepts, slopes, _ = _tanh_pieces(dtype, torch.device("cpu"))
    nearest, farthest = torch.tensor([_LEAST, _MOST], dtype=dtype).view(kind).tolist()
    return Table(intercepts, slopes, torch.iinfo(kind).max, nearest, farthest, shift)


@cache
def _tanh_pieces(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Intercepts and slopes of the pieces, and the bits of the first."""
    kind, shift = _BITS[dtype]
    with torch.inference_mode(False), torch.no_grad():
        first, last = (torch.tensor([-_LEAST, -_MOST], dtype=dtype).view(kind) >> shift).tolist()
        ends = (torch.arange(first, last + 2, dtype=kind) << shift).view(dtype).double()
        points = _touching(-ends)
        slopes = (points[1:] - points[:-1]) / (ends[1:] - ends[:-1])
        intercepts = points[:-1] - slopes * ends[:-1]
        slopes[0], intercepts[0] = -0.5, 0.0  # up to zero, and on: there d = -left / 2 to third order
        slopes[-1], intercepts[-1] = 0.0, 400.0  # so far to the left that the slope at d is 0 to rounding
        start = torch.tensor(first, dtype=kind, device=device)
        return intercepts.to(device, dtype), slopes.to(device, dtype), start


def _touching(distance: Tensor) -> Tensor:
    """The root of `tanh(d) + tanh(distance) = (d + distance) / cosh(d)^2` by Newton's method."""
    point = torch.asinh(distance) / 2.0  # right to first order at both ends, and 0.03 off between
    at_end = torch.tanh(distance)
    for _ in range(6):
        value, slope = torch.tanh(point), torch.cosh(point) ** -2
        gap = value + at_end - slope * (point + distance)
        point = point - gap / (2.0 * value * slope * (point + distance))
    return point
