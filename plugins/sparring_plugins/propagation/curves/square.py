"""The square."""

from __future__ import annotations

import torch
from torch import Tensor

from .convex import Bent

__all__ = ["Square"]


class Square(Bent):
    """`x^2`: the chord has slope `low + high`, and so has the tangent at the midpoint.

    The lower line has the least area there, but lies far below zero at one end where the interval reaches zero or
    nearly so. Hence it touches between the midpoint and the point nearest to zero: half way where that point is zero,
    and the nearer to the midpoint the further away from zero it is.
    """

    positive = True

    def value(self, x: Tensor) -> Tensor:
        """`torch.square(x)`."""
        return torch.square(x)

    def slope(self, x: Tensor) -> Tensor:
        """`2 x`."""
        return x + x

    def touch(self, low: Tensor, high: Tensor) -> Tensor:
        """`n + (m - n^2 / m) / 2` for the midpoint `m` and the point `n` nearest to zero."""
        nearest, middle = _nearest(low, high), torch.lerp(low, high, 0.5)
        # Away from zero `n / m` is below 1; where the midpoint is zero, so is the nearest point.
        share = nearest / torch.where(middle == 0.0, 1.0, middle)
        return torch.lerp(nearest, middle, 0.5 + 0.5 * share)

    def calm(self, x: Tensor) -> Tensor:
        """Four times the square of what is left is finite."""
        most = torch.finfo(x.dtype).max ** 0.45
        return x.clamp(-most, most)

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """Everywhere: a parabola's chord has exactly the slope at the midpoint."""
        return torch.ones_like(low, dtype=torch.bool)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Least at the point nearest to zero, greatest at an end."""
        return torch.square(_nearest(low, high)), torch.maximum(torch.square(low), torch.square(high))


def _nearest(low: Tensor, high: Tensor) -> Tensor:
    """The point of each interval that is nearest to zero."""
    return torch.minimum(torch.relu(low), high)
