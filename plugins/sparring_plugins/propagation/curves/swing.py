"""Where tangents through an end point touch a curve that swings: tables, made when first asked for.

The tables choose slopes and nothing else. No bound is less sound for a wrong entry, only less tight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Swing", "swing"]

_PIECES = 4096
_FAR = 40.0  # beyond, the curves are straight to rounding

Function = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Swing:
    """Tangent points of a curve that is convex within `bend` of zero and concave beyond."""

    bend: float
    inner: Tensor  # `[pieces + 1]`, by `bend / x` from 0 to 1
    outer: Tensor  # `[pieces + 1]`, by `x / bend` from 0 to 1

    def inward(self, x: Tensor) -> Tensor:
        """Where in the convex stretch the tangent through the curve at `x > bend` touches; `x` itself for smaller."""
        share = self.bend / x.clamp(min=self.bend)
        return torch.where(x < self.bend, x, _between(self.inner, share))

    def outward(self, x: Tensor) -> Tensor:
        """Where beyond `bend` the tangent through the curve at `0 < x < bend` touches; `x` itself for larger."""
        return torch.where(x > self.bend, x, _between(self.outer, (x / self.bend).clamp(0.0, 1.0)))


def swing(value: Function, slope: Function, dtype: torch.dtype, device: torch.device) -> Swing:
    """Tables of `value` with derivative `slope`, by bisection in float64."""
    with torch.inference_mode(False), torch.no_grad():
        share = torch.linspace(0.0, 1.0, _PIECES + 1, dtype=torch.float64)
        bend = _bend(slope)

        def meets(end: Tensor) -> Function:
            # Positive where the tangent at x passes above the curve at `end`.
            return lambda x: value(x) + slope(x) * (end - x) - value(end)

        above = (bend / share.clamp(min=1e-9)).clamp(max=1e9)
        inner = _bisect(meets(above), torch.zeros_like(share), torch.full_like(share, bend))
        below = share * bend
        outer = _bisect(meets(below), torch.full_like(share, bend), torch.full_like(share, _FAR))
        inner[-1], outer[-1] = bend, bend
        return Swing(bend, inner.to(device, dtype), outer.to(device, dtype))


def _bend(slope: Function) -> float:
    """Where the slope is greatest: between 1 and 4 for the curves at hand."""

    def falls(x: Tensor) -> Tensor:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            return -torch.autograd.grad(slope(x).sum(), x)[0]

    return float(_bisect(falls, torch.tensor(1.0, dtype=torch.float64), torch.tensor(4.0, dtype=torch.float64)))


def _bisect(rises: Function, least: Tensor, most: Tensor) -> Tensor:
    """Where a function turns from negative to positive."""
    for _ in range(60):
        middle = (least + most) / 2.0
        beyond = rises(middle) > 0.0
        least, most = torch.where(beyond, least, middle), torch.where(beyond, middle, most)
    return (least + most) / 2.0


def _between(table: Tensor, share: Tensor) -> Tensor:
    """Read a table at a share of its length, along the line between two entries."""
    place = share * _PIECES
    index = place.detach().long().clamp(max=_PIECES - 1)
    start, end = table.take(index), table.take(index + 1)
    return start + (end - start) * (place - index)
