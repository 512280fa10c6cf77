"""The greater of two nodes, between planes."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.nodes import Interval, Planar, Planes, magnitude

__all__ = ["Maximum"]

WORTH = 0.15
"""How much a tilted plane may lie above the flat one in its worst corner, for each unit that it gains in the best."""


class Maximum(Planar):
    """`max(x, y)`.

    Below lies the input whose middle is higher. Above lies an input that is never less than the other one; else the
    flat plane through the highest corner, or the one that also touches at the lowest corners,
    `(1 - s) x + s y + c` with `s` the share of `y - x` above zero, where it gains clearly more than it gives away.
    """

    def value(self, *inputs: Tensor) -> Tensor:
        """The greater of the two."""
        return torch.maximum(*inputs)

    def interval(self, *inputs: Interval) -> Interval:
        """The greater of both ends; nothing rounds."""
        first, second = inputs
        return Interval(torch.maximum(first.low, second.low), torch.maximum(first.high, second.high))

    def planes(self, *inputs: Interval) -> Planes:
        """One below, one above."""
        (least, most), (low, high) = inputs
        info = torch.finfo(least.dtype)
        above, below = (high - least).clamp(min=0.0), (most - low).clamp(min=0.0)
        share = above / (above + below).clamp(min=info.tiny)
        rest = 1.0 - share
        # How much higher than flat the tilted plane is in the highest corner, and how much lower where the higher
        # input is at its least.
        first, second = rest * (most - least), share * (high - low)
        tall = most >= high
        worst, best = torch.where(tall, second, first), torch.where(tall, first, second)
        tilted = (worst <= WORTH * best).detach()
        slope, other = torch.where(tilted, rest, 0.0), torch.where(tilted, share, 0.0)
        # Greatest of `x - slope x - other y`, and of `y` likewise, over the box.
        top = torch.maximum((1.0 - slope) * most - other * low, (1.0 - other) * high - slope * least)
        with torch.no_grad():
            size = magnitude(inputs[0]) + magnitude(inputs[1])
            slack = torch.where((slope > 0.0) & (other > 0.0), size * (6.0 * info.eps), 0.0)
        mine = (least + most >= low + high).to(least.dtype)
        return Planes((mine, 1.0 - mine), torch.zeros_like(least), (slope, other), top + slack)

    def error(self, *inputs: Interval) -> float:
        """A comparison does not round."""
        return 0.0
