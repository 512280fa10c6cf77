"""ELU, which for alpha above 1 bends both ways."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring.errors import RefusedError

from .convex import Bent, quotient
from .curve import Lines
from .rounding import detached, rounding

__all__ = ["ELU"]


class ELU(Bent):
    """`x` above zero and `alpha * (exp(x) - 1)` below.

    For `alpha <= 1` it is convex, with a kink at zero unless `alpha` is 1. For `alpha > 1` it is convex below zero
    and turns down at the kink, so across zero other lines are best: see `_steep`.
    """

    def __init__(self, alpha: float = 1.0) -> None:
        if not alpha >= 0.0:
            raise RefusedError(f"elu with alpha={alpha:g}: bounds need an alpha of at least 0")
        self.alpha = float(alpha)

    def value(self, x: Tensor) -> Tensor:
        """`elu`."""
        return F.elu(x, self.alpha)

    def slope(self, x: Tensor) -> Tensor:
        """At zero that of the left piece."""
        return torch.where(x > 0.0, 1.0, torch.exp(x.clamp(max=0.0)) * self.alpha)

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """Across the kink only a single point: small values there are exact enough for a quotient."""
        r = rounding(low.dtype, low.device)
        across = (low < 0.0) & (high > 0.0)
        return high - low <= torch.where(across, r.tiny, r.narrow)

    def _lines(self, low: Tensor, high: Tensor, touch: Tensor) -> Lines:
        lines = super()._lines(low, high, touch)
        if self.alpha <= 1.0:
            return lines
        across = (low < 0.0) & (high > 0.0)
        ends = torch.where(across, low, -1.0), torch.where(across, high, 1.0)
        steep = self._steep(*ends, torch.where(across, touch, 0.0))
        return Lines(
            torch.where(across, steep.lower_slope, lines.lower_slope),
            torch.where(across, steep.lower_intercept, lines.lower_intercept),
            torch.where(across, steep.upper_slope, lines.upper_slope),
            torch.where(across, steep.upper_intercept, lines.upper_intercept),
        )

    def _steep(self, low: Tensor, high: Tensor, touch: Tensor) -> Lines:
        """Lines for `alpha > 1` across zero.

        The least concave function above the curve runs from end to end, or bends once at the kink. The greatest
        convex function below follows the curve from the left end to the tangent through the right end. Whatever the
        slopes, `f(x) - slope * x` is greatest at an end or at zero, and least at an end or where the left piece has
        that slope.
        """
        at_low, at_high, middle = self.value(low), self.value(high), torch.lerp(low, high, 0.5)
        chord = quotient(low, high, at_high - at_low, self.slope(middle), high - low <= 0.0)
        above = torch.where(at_low >= chord * low, chord, torch.where(middle > 0.0, 1.0, at_low / low))
        upper = torch.maximum(torch.maximum(at_low - above * low, at_high - above * high), torch.zeros_like(low))
        point = self._tangent_point(high)
        touch = torch.maximum(torch.minimum(touch, point), low)
        below = torch.where(point > low, self.slope(touch), chord)
        rest = torch.log(below.clamp(min=torch.finfo(low.dtype).tiny) / self.alpha)
        rest = torch.minimum(torch.maximum(rest, low), torch.zeros_like(low))
        lower = torch.minimum(
            torch.minimum(at_low - below * low, at_high - below * high), self.value(rest) - below * rest
        )
        slack = (detached(high) * (1.0 + self.alpha) + self.alpha) * (2.0 * rounding(low.dtype, low.device).slack)
        return Lines(below, lower - slack, above, upper + slack)

    def _tangent_point(self, high: Tensor) -> Tensor:
        """Where, below zero, the tangent passes through `(high, high)`: `z = high - point + 1`, `z exp(-z) = c`.

        Newton's method on `z = log(z) - log(c)` from the right side of the root; a wrong root costs tightness only.
        """
        target = high + 1.0 - torch.log((high + self.alpha) / self.alpha)  # -log(c), above 1
        excess = (target - 1.0).clamp(min=rounding(high.dtype, high.device).eps)
        root = 1.0 + excess + torch.sqrt(2.0 * excess)
        for _ in range(4):
            root = root * (target + torch.log(root) - 1.0) / (root - 1.0)
        return (high + 1.0 - root).clamp(max=0.0)
