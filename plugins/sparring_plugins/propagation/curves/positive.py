"""Curves with a domain: logarithm, square root and its reciprocal, and the reciprocal."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.errors import RefusedError

from .convex import Bent
from .curve import Curve, Lines, known_choice
from .rounding import rounding

__all__ = ["Log", "Reciprocal", "Rsqrt", "Sqrt"]


def _refuse(outside: Tensor, low: Tensor, high: Tensor, name: str, need: str) -> None:
    """Raise `RefusedError` that names the first interval which is `outside` of the domain."""
    if bool(outside.any()):
        first = int(outside.flatten().to(torch.uint8).argmax())
        ends = [float(end.detach().expand_as(outside).flatten()[first]) for end in (low, high)]
        raise RefusedError(f"{name} on [{ends[0]:g}, {ends[1]:g}]: bounds need an interval {need}")


class _Scaled(Bent):
    """A curve that looks the same at every scale: what is narrow is measured by the distance from zero."""

    name: str

    def admit(self, low: Tensor, high: Tensor) -> None:
        """Refuse intervals that touch zero."""
        _refuse(~(low > 0.0), low, high, self.name, "above 0")

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """Measured by the left end."""
        return high - low <= low * rounding(low.dtype, low.device).narrow


class Log(_Scaled):
    """`log(x)` for `x > 0`."""

    concave = True
    name = "log"

    def value(self, x: Tensor) -> Tensor:
        """`torch.log(x)`."""
        return torch.log(x)

    def slope(self, x: Tensor) -> Tensor:
        """`1 / x`, finite for all but subnormal numbers."""
        return 1.0 / x.clamp(min=torch.finfo(x.dtype).tiny)


class Sqrt(_Scaled):
    """`sqrt(x)` for `x >= 0`; at 0, where the slope is infinite, gradients are zero."""

    positive = True

    concave = True
    name = "sqrt"

    def admit(self, low: Tensor, high: Tensor) -> None:
        """Refuse negative numbers."""
        _refuse(~(low >= 0.0), low, high, self.name, "from 0 up")

    def value(self, x: Tensor) -> Tensor:
        """`torch.sqrt(x)`."""
        return torch.where(x > 0.0, torch.sqrt(torch.where(x > 0.0, x, 1.0)), 0.0)

    def slope(self, x: Tensor) -> Tensor:
        """`1 / (2 sqrt(x))`."""
        return 0.5 / torch.sqrt(x.clamp(min=torch.finfo(x.dtype).tiny))


class _Falling(_Scaled):
    """A power of `x` below zero: convex, falling, and steep near zero, where the upper line becomes constant."""

    def calm(self, x: Tensor) -> Tensor:
        """Squares of what is left, and of its reciprocal, are normal numbers."""
        least = torch.finfo(x.dtype).tiny ** 0.45
        return x.clamp(least, 1.0 / least)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends, turned round."""
        self.admit(low, high)
        return self.value(high), self.value(low)


class Rsqrt(_Falling):
    """`1 / sqrt(x)` for `x > 0`."""

    positive = True

    name = "rsqrt"

    def value(self, x: Tensor) -> Tensor:
        """`torch.rsqrt(x)`."""
        return torch.rsqrt(x)

    def slope(self, x: Tensor) -> Tensor:
        """`-1 / (2 x sqrt(x))`."""
        return -0.5 * torch.rsqrt(x) / x


class _Inverse(_Falling):
    """`1 / x` for `x > 0`."""

    name = "reciprocal"

    def value(self, x: Tensor) -> Tensor:
        """`torch.reciprocal(x)`."""
        return torch.reciprocal(x)

    def slope(self, x: Tensor) -> Tensor:
        """`-1 / x^2`."""
        inverse = torch.reciprocal(x)
        return -inverse * inverse


class Reciprocal(Curve):
    """`1 / x` away from 0. It is odd: left of zero the lines are those of `-x`, turned round."""

    def __init__(self) -> None:
        self._right = _Inverse()

    def value(self, x: Tensor) -> Tensor:
        """`torch.reciprocal(x)`."""
        return torch.reciprocal(x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends, turned round."""
        self._admit(low, high)
        return torch.reciprocal(high), torch.reciprocal(low)

    def error(self, low: Tensor, high: Tensor) -> Tensor:
        """Two spacings: division rounds once, and some devices are off by one."""
        r = rounding(low.dtype, low.device)
        least, greatest = self.image(low, high)
        return torch.add(r.tiny, torch.maximum(least.abs(), greatest.abs()), alpha=2.0 * r.eps)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """Chord, and the tangent at the midpoint."""
        known_choice(choice)
        return self.free_lines(low, high, self.start(low, high))

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The midpoint."""
        return low.new_full((2, *low.shape), 0.5)

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor:
        """How far the point lies from the end nearest to zero."""
        near, far = torch.minimum(low.abs(), high.abs()), torch.maximum(low.abs(), high.abs())
        free = self._right.touching(near, far, point.abs())[0]
        return torch.stack((free, free))

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """The tangent anywhere from the end nearest to zero (0) to the farthest (1); the chord has no freedom."""
        self._admit(low, high)
        right = low > 0.0
        near, far = torch.where(right, low, -high), torch.where(right, high, -low)
        mine = torch.where(right, alpha[0], alpha[1])
        there = self._right.free_lines(near, far, mine.expand(2, *mine.shape))
        return Lines(
            torch.where(right, there.lower_slope, there.upper_slope),
            torch.where(right, there.lower_intercept, -there.upper_intercept),
            torch.where(right, there.upper_slope, there.lower_slope),
            torch.where(right, there.upper_intercept, -there.lower_intercept),
        )

    def _admit(self, low: Tensor, high: Tensor) -> None:
        _refuse(~((low > 0.0) | (high < 0.0)), low, high, "reciprocal", "without 0")
