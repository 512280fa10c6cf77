"""The product of two nodes, between planes (McCormick 1976)."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.nodes import Interval, Planar, Planes, magnitude
from sparring_plugins.propagation.rounding import gamma, tiny

__all__ = ["Product"]


class Product(Planar):
    """`x y` for nodes of the same shape.

    With `x` in `[a, A]` and `y` in `[b, B]` from `(x - a)(y - b) >= 0` and `(A - x)(B - y) >= 0` follow two planes
    below, from `(x - a)(B - y) >= 0` and `(A - x)(y - b) >= 0` two above. Both of a pair have the same value in the
    middle of the box, and so has every mixture of them.
    """

    def value(self, *inputs: Tensor) -> Tensor:
        """The product."""
        return inputs[0] * inputs[1]

    def interval(self, *inputs: Interval) -> Interval:
        """The least and greatest of the four corners."""
        first, second = inputs
        corners = torch.stack(
            (first.low * second.low, first.low * second.high, first.high * second.low, first.high * second.high)
        )
        least, most = corners.aminmax(dim=0)
        reach = self.error(*inputs)
        return Interval(least - reach, most + reach)

    def planes(self, *inputs: Interval) -> Planes:
        """One of each pair."""
        (a, _), (b, top) = inputs
        # Products and differences round by less than four units of the largest corner.
        slack = self.error(*inputs)
        return Planes((b, a), -(a * b) - slack, (top, a), slack - a * top)

    def other_planes(self, *inputs: Interval) -> Planes:
        """The other of each pair."""
        (_, a), (bottom, b) = inputs
        slack = self.error(*inputs)
        return Planes((b, a), -(a * b) - slack, (bottom, a), slack - a * bottom)

    def error(self, *inputs: Interval) -> Tensor:
        """One rounding, and what rounds in the corners."""
        size = magnitude(inputs[0]) * magnitude(inputs[1])
        return (size * gamma(1, size.dtype) + tiny(1, size.dtype)).detach()
