"""The square."""

from __future__ import annotations

import torch
from torch import Tensor

from .convex import Bent

__all__ = ["Square"]


class Square(Bent):
    """`x^2`: the chord has slope `low + high`, and so has the tangent at the midpoint."""

    def value(self, x: Tensor) -> Tensor:
        """`torch.square(x)`."""
        return torch.square(x)

    def slope(self, x: Tensor) -> Tensor:
        """`2 x`."""
        return x + x

    def calm(self, x: Tensor) -> Tensor:
        """Four times the square of what is left is finite."""
        most = torch.finfo(x.dtype).max ** 0.45
        return x.clamp(-most, most)

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """Everywhere: a parabola's chord has exactly the slope at the midpoint."""
        return torch.ones_like(low, dtype=torch.bool)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Least at the point nearest to zero, greatest at an end."""
        nearest = torch.minimum(torch.relu(low), high)
        return torch.square(nearest), torch.maximum(torch.square(low), torch.square(high))
