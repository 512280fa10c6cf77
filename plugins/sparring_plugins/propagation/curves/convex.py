"""What all convex and all concave curves share: a chord on one side, a tangent on the other."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from .curve import Curve, Lines, known_choice
from .rounding import detached, rounding

__all__ = ["Bent", "quotient"]


def quotient(low: Tensor, high: Tensor, rise: Tensor, middle: Tensor, narrow: Tensor) -> Tensor:
    """Slope of the chord: `rise` over width, or `middle`, the slope at the midpoint, where `narrow`.

    The slope at the midpoint is the chord's to second order in the width. Where the width is below the cube root of
    the precision the two differ by less than the rounding of the rise, which would drown the quotient's gradient.
    """
    width = torch.where(narrow, 1.0, high - low)
    return torch.where(narrow, middle, rise / width)


class Bent(Curve):
    """A curve that bends one way only: convex, or concave where `concave` is set.

    The line on the side that it bends to is the chord; the other is a tangent, by default at the midpoint, where its
    area is least. A tangent of a convex curve lies below it everywhere, so any point will do.

    Where a convex curve leaves the range in which slopes can be computed (`calm`), the chord gives way to the
    constant line through the largest value, which may be infinite.
    """

    concave = False
    positive = False
    """Whether no value is negative, and errors are the share of it that `error` says; such a box keeps its sign."""

    @abstractmethod
    def slope(self, x: Tensor) -> Tensor:
        """The derivative, to a few spacings; at a kink that of either side."""

    def calm(self, x: Tensor) -> Tensor:
        """The nearest point at which values, slopes and their products are finite numbers."""
        return x

    def admit(self, low: Tensor, high: Tensor) -> None:
        """Raise `RefusedError` where the interval leaves the domain."""

    def narrow(self, low: Tensor, high: Tensor) -> Tensor:
        """Where the interval is so short that the curve is a parabola on it, to rounding."""
        return high - low <= rounding(low.dtype, low.device).narrow

    def touch(self, low: Tensor, high: Tensor) -> Tensor:
        """Where the tangent of `lines` touches."""
        return torch.lerp(low, high, 0.5)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends of a rising curve."""
        self.admit(low, high)
        return self.value(low), self.value(high)

    def error(self, low: Tensor, high: Tensor) -> Tensor | float:
        """Four spacings of the largest value: the vector libraries behind torch promise one or two."""
        r = rounding(low.dtype, low.device)
        least, greatest = self.image(low, high)
        return torch.add(r.tiny, torch.maximum(least.abs(), greatest.abs()), alpha=4.0 * r.eps)

    def box(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Each end moved by its own error, where that is a share of it."""
        if not self.positive:
            return super().box(low, high)
        r, ends = rounding(low.dtype, low.device), self.image(low, high)
        least, greatest = (torch.add(r.tiny, detached(end), alpha=4.0 * r.eps) for end in ends)
        return (ends[0] - least).clamp_min(0.0), ends[1] + greatest

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """Chord, and the tangent at `touch`."""
        known_choice(choice)
        self.admit(low, high)
        near, far = self.calm(low), self.calm(high)
        return self._lines(low, high, self.touch(near, far))

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """Where `touch` lies in the interval; a half on the side of the chord, which has no freedom."""
        return self.touching(low, high, self.touch(self.calm(low), self.calm(high)))

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor:
        """Where the point lies in the interval; a half on the side of the chord."""
        near, far = self.calm(low), self.calm(high)
        width = far - near
        share = (point - near) / torch.where(width > 0.0, width, 1.0)
        free = torch.where(width > 0.0, share.clamp(0.0, 1.0), 0.5)
        fixed = torch.full_like(free, 0.5)
        return torch.stack((fixed, free) if self.concave else (free, fixed))

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """The tangent anywhere from the left end (0) to the right end (1)."""
        self.admit(low, high)
        near, far = self.calm(low), self.calm(high)
        return self._lines(low, high, torch.lerp(near, far, alpha[1] if self.concave else alpha[0]))

    def _lines(self, low: Tensor, high: Tensor, touch: Tensor) -> Lines:
        tangent, below = self._tangent(low, high, touch)
        chord, above = (part.expand_as(tangent) for part in self._chord(low, high))
        if self.concave:
            return Lines(chord, above, tangent, below)
        return Lines(tangent, below, chord, above)

    def _tangent(self, low: Tensor, high: Tensor, touch: Tensor) -> tuple[Tensor, Tensor]:
        """The true tangent with this slope touches elsewhere by the rounding of the slope.

        That changes its intercept by the product of two roundings only, so nothing is lost far away from `touch`.
        """
        slope, at_touch = self.slope(touch), self.value(touch)
        return slope, _outward(at_touch - slope * touch, at_touch, slope * touch, up=self.concave)

    def _chord(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Any slope is sound: the intercept is the extreme of `f(x) - slope * x`, which is at an end."""
        near, far = self.calm(low), self.calm(high)
        at_low, at_high = self.value(near), self.value(far)
        middle = self.slope(torch.lerp(near, far, 0.5))
        slope = quotient(near, far, at_high - at_low, middle, self.narrow(near, far))
        ends = at_low - slope * near, at_high - slope * far
        extreme = torch.minimum(*ends) if self.concave else torch.maximum(*ends)
        size, reach = torch.maximum(at_low.abs(), at_high.abs()), torch.maximum(near.abs(), far.abs())
        intercept = _outward(extreme, size, slope * reach, up=not self.concave)
        if near is low:
            return slope, intercept
        wild = (near != low) | (far != high)
        return torch.where(wild, 0.0, slope), torch.where(wild, self._constant(low, high), intercept)

    def _constant(self, low: Tensor, high: Tensor) -> Tensor:
        """The largest value, rounded up."""
        with torch.no_grad():
            largest = self.image(low, high)[1]
            return largest + largest.abs() * rounding(low.dtype, low.device).slack


def _outward(intercept: Tensor, value: Tensor, product: Tensor, *, up: bool) -> Tensor:
    """Move the difference of a value and a product by the rounding of both."""
    r = rounding(intercept.dtype, intercept.device)
    size = detached(value).abs() + detached(product).abs()
    return torch.add(intercept, size, alpha=r.slack if up else -r.slack)
