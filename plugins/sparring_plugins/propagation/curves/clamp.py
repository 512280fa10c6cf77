"""Clamping to a range: Hardtanh is `Clamp(-1, 1)`, ReLU6 is `Clamp(0, 6)`."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .curve import Curve, Lines, known_choice
from .rounding import rounding

__all__ = ["Clamp"]


class Clamp(Curve):
    """`min(max(x, least), greatest)`; None leaves a side open.

    Over `[low, high]` the least concave function above it is the line from the left end to the corner at `greatest`,
    and flat from there on; the upper line is whichever of the two touches it at the midpoint. The lower line is the
    upper line of the curve turned round: `-Clamp(-greatest, -least)(-x)`.
    """

    def __init__(self, least: float | None = None, greatest: float | None = None) -> None:
        self.greatest = math.inf if greatest is None else float(greatest)
        self.least = min(-math.inf if least is None else float(least), self.greatest)  # torch: the greatest wins

    def value(self, x: Tensor) -> Tensor:
        """`torch.clamp(x, least, greatest)`."""
        return torch.clamp(x, self.least, self.greatest)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends."""
        return self.value(low), self.value(high)

    def error(self, low: Tensor, high: Tensor) -> float:
        """Zero: comparisons do not round."""
        return 0.0

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """The lines of least area."""
        known_choice(choice)
        return self.free_lines(low, high, self.start(low, high))

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """1 for the line to the corner, 0 for the flat one: whichever touches the envelope at the midpoint."""
        middle = torch.lerp(low, high, 0.5)
        return torch.stack((middle > self.least, middle < self.greatest)).to(low.dtype)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Lines through the corner, from flat (0) to the line through the far end (1)."""
        shape = (2, *(1 for _ in range(alpha.dim() - 1 - low.dim())), *low.shape)
        left, right = torch.stack((-high, low)).view(shape), torch.stack((-low, high)).view(shape)
        ranges = low.new_tensor([[-self.greatest, self.least], [-self.least, self.greatest]])
        least, greatest = ranges.view(2, 2, *(1 for _ in shape[1:]))
        slope, intercept = _above(left, right, least, greatest, alpha)
        return Lines(slope[0], -intercept[0], slope[1], intercept[1])


def _above(low: Tensor, high: Tensor, least: Tensor, greatest: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and intercept of a line above `clamp(x, least, greatest)`; exact where nothing is cut off, or all."""
    r = rounding(low.dtype, low.device)
    corner = torch.maximum(torch.minimum(high, greatest), low)  # the point of the interval nearest to the corner
    at_low, at_corner = torch.clamp(low, least, greatest), torch.clamp(corner, least, greatest)
    run = corner - low
    long = run > r.tiny
    whole = (low >= least) & (high <= greatest)
    steep = torch.where(long, (at_corner - at_low) / torch.where(long, run, r.one), whole.to(low.dtype))
    slope = torch.where(high > greatest, alpha * steep, steep)
    intercept = torch.maximum(at_low - slope * low, at_corner - slope * corner)
    with torch.no_grad():
        size = at_low.abs() + at_corner.abs() + slope * torch.maximum(low.abs(), corner.abs())
        slack = torch.where((slope == 0.0) | whole & (slope == 1.0), r.zero, size * r.slack)
    return slope, intercept + slack
