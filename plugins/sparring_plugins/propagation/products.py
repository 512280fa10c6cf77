"""The product of two nodes, between planes (McCormick 1976)."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.nodes import Interval, Planar, Planes, magnitude
from sparring_plugins.propagation.rounding import gamma, tiny

__all__ = ["Product"]

SLIGHTLY_LESS = 0.9
"""What the lean of a second factor counts; with 1, ties would be decided by rounding."""


class Product(Planar):
    """`x y` for nodes of the same shape.

    With `x` in `[a, A]` and `y` in `[b, B]` from `(x - a)(y - b) >= 0` and `(A - x)(B - y) >= 0` follow two planes
    below, from `(x - a)(B - y) >= 0` and `(A - x)(y - b) >= 0` two above. Both of a pair have the same value in the
    middle of the box, and so has every mixture of them. The one that varies less over the box is better: what the two
    nodes depend on in common may cancel, but what their own bounds leave open does not.
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
        """The one of each pair that varies less."""
        return self._chosen(*inputs, turned=False)

    def other_planes(self, *inputs: Interval) -> Planes:
        """The other of each pair."""
        return self._chosen(*inputs, turned=True)

    def _chosen(self, first: Interval, second: Interval, *, turned: bool) -> Planes:
        """One of each pair, or the other one where `turned`.

        With the factors' widths `w` and `v` the first plane below varies by `w v (lean x + lean y)` less over the box
        than the other one, the first plane above by `w v (lean x - lean y)`. The lean of `y` counts for a little less,
        so that where neither factor changes its sign both planes have the same slope in `y`.
        """
        lean, other = _lean(first), SLIGHTLY_LESS * _lean(second)
        below = ((lean + other) < 0.0) ^ turned
        above = ((lean - other) < 0.0) ^ turned
        x, y = torch.where(below, first.high, first.low), torch.where(below, second.high, second.low)
        u, v = torch.where(above, first.high, first.low), torch.where(above, second.low, second.high)
        # Products and differences round by less than four units of the largest corner.
        slack = self.error(first, second)
        return Planes((y, x), -(x * y) - slack, (v, u), slack - u * v)

    def error(self, *inputs: Interval) -> Tensor:
        """One rounding, and what rounds in the corners."""
        size = magnitude(inputs[0]) * magnitude(inputs[1])
        return (size * gamma(1, size.dtype) + tiny(1, size.dtype)).detach()


@torch.no_grad()
def _lean(interval: Interval) -> Tensor:
    """From 1 where all is positive to -1 where all is negative; NaN, with which no plane is turned, for zero alone."""
    low, high = interval
    return ((low + high) / (high - low)).clamp(-1.0, 1.0)
