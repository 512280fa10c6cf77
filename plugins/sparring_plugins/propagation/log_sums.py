"""The logarithm of a sum of exponentials of several nodes, between planes."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.nodes import Interval, Planar, Planes, magnitude
from sparring_plugins.propagation.rounding import gamma

__all__ = ["LogSum"]


class LogSum(Planar):
    """`log sum_k exp(x_k)` of nodes of one shape.

    It is convex: below lies the plane that touches it in the middle of the box. Above, each exponential lies under
    its chord, and the logarithm under its tangent where the sum of the chords is in the middle of the box (Wei et al.,
    Convex Bounds on the Softmax Function with Applications to Robustness Verification, 2023, section 4).
    """

    def value(self, *inputs: Tensor) -> Tensor:
        """The sum, without overflow."""
        return torch.logsumexp(torch.stack(inputs), 0)

    def interval(self, *inputs: Interval) -> Interval:
        """It grows with every input."""
        low, high = (torch.stack(ends).logsumexp(0) for ends in zip(*inputs, strict=True))
        share = gamma(len(inputs), low.dtype)
        # The greatest input, to which the logarithm of the rest is added, is no further from 0 than this.
        most = torch.stack([magnitude(x) for x in inputs]).amax(0)
        reach = ((1.0 + most) * (2 * share)).detach()
        return Interval(low - reach, high + reach)

    def planes(self, *inputs: Interval) -> Planes:
        """The tangent below, chords under a tangent above."""
        low, high = (torch.stack(ends) for ends in zip(*inputs, strict=True))
        lower, below = _tangent(torch.lerp(low, high, 0.5))
        upper, above = _chords(low, high)
        with torch.no_grad():
            # Whatever rounds on the way is a part of these terms, or of a logarithm of sums between 1 and the count.
            size = torch.maximum(high, -low)
            slack = ((lower + upper) * size).sum(0) + size.amax(0) + 1.0
            slack = slack * (8 * gamma(len(inputs), size.dtype))
        return Planes(tuple(lower.unbind()), below - slack, tuple(upper.unbind()), above + slack)

    def error(self, *inputs: Interval) -> float:
        """Of no victim: what a kernel errs is for the node that stands for the kernel."""
        return 0.0


def _tangent(point: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and intercept of the plane that touches at a point."""
    slopes = torch.softmax(point, 0)
    return slopes, point.logsumexp(0) - (slopes * point).sum(0)


def _chords(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Slopes and intercept of the plane above, all relative to the greatest input."""
    top = high.amax(0).detach()
    least, most, wide = torch.exp(low - top), torch.exp(high - top), high - low
    narrow = wide < 0.5
    width = torch.where(narrow, 1.0, wide)
    # Of near ends the difference is taken as a series that does not cancel.
    near = least * torch.where(narrow, _growth(torch.where(narrow, wide, 0.0)), 1.0)
    steep = torch.where(narrow, near, (most - least) / width)
    total = (least + 0.5 * steep * wide).sum(0)
    slopes = steep / total
    return slopes, top + torch.log(total) - 1.0 + (least / total - slopes * low).sum(0)


def _growth(width: Tensor) -> Tensor:
    """`(exp(w) - 1) / w`, also at 0."""
    positive = width > 0.0
    safe = torch.where(positive, width, 1.0)
    return torch.where(positive, torch.expm1(safe) / safe, 1.0 + 0.5 * width)
