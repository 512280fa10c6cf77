"""Exponential and softplus: convex curves that rise, the one without end, the other along a line."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring.errors import RefusedError

from .convex import Bent
from .curve import Lines
from .rounding import detached, rounding

__all__ = ["Exp", "Softplus"]


class Exp(Bent):
    """`exp(x)`.

    The tangent touches at the midpoint, but less than 1 right of the left end, so that the lower line stays above
    zero on the interval and sums of exponentials can be divided by (Shi et al., Robustness Verification for
    Transformers, 2020, appendix). From about 1e302 (float64) or 1e33 (float32) on, the upper line is constant.
    """

    positive = True

    def value(self, x: Tensor) -> Tensor:
        """`torch.exp(x)`."""
        return torch.exp(x)

    def slope(self, x: Tensor) -> Tensor:
        """Itself."""
        return torch.exp(x)

    def calm(self, x: Tensor) -> Tensor:
        """Leaves room for products with `x`."""
        return x.clamp(max=math.log(torch.finfo(x.dtype).max) - 12.0)

    def touch(self, low: Tensor, high: Tensor) -> Tensor:
        """The midpoint, or 0.99 right of the left end."""
        return torch.minimum(torch.lerp(low, high, 0.5), low + 0.99)


class Softplus(Bent):
    """`log(1 + exp(beta * x)) / beta`, and `x` itself where `beta * x > threshold`, as torch computes it.

    At the threshold the function of torch falls by `log(1 + exp(-threshold)) / beta` (2e-9 for the defaults), so it
    is convex only left and right of it: both lines also count the two values there.
    """

    def __init__(self, beta: float = 1.0, threshold: float = 20.0) -> None:
        if not beta > 0.0:
            raise RefusedError(f"softplus with beta={beta:g}: bounds need a beta above 0")
        self.beta, self.threshold = float(beta), float(threshold)

    def value(self, x: Tensor) -> Tensor:
        """`softplus`, without overflow where the threshold lies beyond the range of the exponential."""
        return F.softplus(x, self.beta, min(self.threshold, 80.0))

    def slope(self, x: Tensor) -> Tensor:
        """The sigmoid, and 1 beyond the threshold."""
        return torch.where(x > self._jump(x), 1.0, torch.sigmoid(x * self.beta))

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """The curve's own unit of length is `1 / beta`."""
        return (high - low) * self.beta <= rounding(low.dtype, low.device).narrow

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """From the ends, and from the jump where it lies between them."""
        at_low, at_high = self.value(low), self.value(high)
        jump, crosses = self._crossing(low, high)
        least = torch.where(crosses, torch.minimum(at_low, jump), at_low)
        return least, torch.where(crosses, torch.maximum(at_high, self._smooth(jump)), at_high)

    def error(self, low: Tensor, high: Tensor) -> Tensor:
        """Rounding of `beta * x` counts as often as the exponent is large: in proportion to -x on the left."""
        r = rounding(low.dtype, low.device)
        relative = (torch.relu(-high) * self.beta + 4.0) * (2.0 * r.eps)
        error = torch.add(r.tiny, torch.maximum(self.value(high), self._smooth(high)) * relative)
        overflow = math.log(torch.finfo(low.dtype).max)
        if self.threshold <= overflow:
            return error
        return torch.where(high * self.beta > overflow - 1.0, math.inf, error)  # there torch says infinity

    def box(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Never below zero."""
        least, greatest = super().box(low, high)
        return least.clamp_min(0.0), greatest

    def _jump(self, like: Tensor) -> Tensor:
        return like.new_tensor(min(self.threshold, 80.0) / self.beta)

    def _smooth(self, x: Tensor) -> Tensor:
        return (torch.relu(x * self.beta) + torch.log1p(torch.exp(-(x * self.beta).abs()))) / self.beta

    def _crossing(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The jump, and where `low` is not beyond it while `high` is, or may be by rounding."""
        jump, r = self._jump(low), rounding(low.dtype, low.device)
        return jump, (low <= jump * (1.0 + 4.0 * r.eps)) & (high >= jump * (1.0 - 4.0 * r.eps))

    def _lines(self, low: Tensor, high: Tensor, touch: Tensor) -> Lines:
        lines = super()._lines(low, high, touch)
        jump, crosses = self._crossing(low, high)
        slack = 4.0 * rounding(low.dtype, low.device).slack * jump
        least = jump - lines.lower_slope * jump - slack * (1.0 + detached(lines.lower_slope).abs())
        greatest = self._smooth(jump) - lines.upper_slope * jump + slack * (1.0 + detached(lines.upper_slope).abs())
        return Lines(
            lines.lower_slope,
            torch.where(crosses, torch.minimum(lines.lower_intercept, least), lines.lower_intercept),
            lines.upper_slope,
            torch.where(crosses, torch.maximum(lines.upper_intercept, greatest), lines.upper_intercept),
        )
