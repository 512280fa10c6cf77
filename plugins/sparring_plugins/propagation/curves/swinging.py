"""What GELU and SiLU share: one minimum, convex around zero, concave beyond, straight far away."""

from __future__ import annotations

from abc import abstractmethod
from functools import cache

import torch
from torch import Tensor

from .convex import quotient
from .curve import Curve, Lines, known_choice
from .rounding import detached, rounding
from .swing import Swing, swing

__all__ = ["Swinging"]

_DIFFERENCE = 10.0  # beyond, the factor of a negative x is 0 or exact


class Swinging(Curve):
    """A curve `x * s(x)` with `s(x) + s(-x) = 1`, from 0 to 1: `f(x) - f(-x) = x`.

    Its slope is least at `-bend` and greatest at `bend`. So for each slope there is at most one point between the
    two, where `f(x) - slope * x` is least, and at most one beyond them, where it is greatest: with a tangent, that
    point and the ends are all there is to look at, and soundness rests on no table.
    """

    least_at: float
    """Where the curve is least."""

    def at(self, x: Tensor) -> Tensor:
        """The value, with finite gradients however large `x` is."""
        return self.value(x)

    @abstractmethod
    def slope(self, x: Tensor) -> Tensor:
        """The derivative."""

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Least at the point nearest to the minimum, greatest at an end."""
        nearest_point = torch.minimum(low.clamp(min=self.least_at), high)
        return self.value(nearest_point), torch.maximum(self.value(low), self.value(high))

    def error(self, low: Tensor, high: Tensor) -> Tensor:
        """Some spacings of x: left of zero torch multiplies it by a difference of terms near 1, until that is 0."""
        r = rounding(low.dtype, low.device)
        largest = torch.relu(high) + torch.relu(-low).clamp(max=_DIFFERENCE)
        return torch.add(r.tiny, largest, alpha=6.0 * r.eps)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """The lines of least area."""
        known_choice(choice)
        return self._lines(low, high, None)

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """Where the tangent points of least area lie between the first and the last that are legal."""
        return self.touching(low, high, torch.lerp(low, high, 0.5))

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor:
        """Where a tangent at the point lies between the first and the last that are legal."""
        first, last = self._reaches(low, high)
        ahead = torch.stack((point, point.abs())) - first
        return (ahead / torch.where(last > first, last - first, 1.0)).clamp(0.0, 1.0)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Tangent points from the first (0) to the last (1) that are legal; the chord where none is."""
        return self._lines(low, high, alpha)

    def _reaches(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """First and last legal tangent points, `[2, *shape]`: below the curve from left to right, above it outward.

        Row 1 holds distances from zero, for an interval on one side of it. Where the first is not less than the last
        there is no tangent, and the chord is the line.
        """
        table = _table(type(self), low.dtype, low.device)
        left, right = table.inward(torch.stack((-low, high))).unbind()
        near, far = torch.maximum(low, -high), torch.maximum(high, -low)
        return torch.stack((-left, torch.minimum(table.outward(near), far))), torch.stack((right, far))

    def _lines(self, low: Tensor, high: Tensor, alpha: Tensor | None) -> Lines:
        middle = torch.lerp(low, high, 0.5)
        ends = torch.stack((low, high))
        at_low, at_high = self.at(ends).unbind()
        slopes = self.slope(torch.stack((low, high, middle))).unbind()
        narrow = high - low <= rounding(low.dtype, low.device).narrow
        chord = quotient(low, high, at_high - at_low, slopes[2], narrow)
        first, last = self._reaches(low, high)
        shape = low.shape
        if alpha is None:
            touch = torch.minimum(torch.maximum(torch.stack((middle, middle.abs())), first), last)
        else:
            shape = torch.Size((*(1 for _ in range(alpha.dim() - 1 - low.dim())), *low.shape))
            touch = torch.lerp(first.view(2, *shape), last.view(2, *shape), alpha)
        touch = self._within(low, high, touch)
        legal = self._legal(low, high, chord, slopes[:2]).view(2, *shape)
        slope = torch.where(legal, chord, self.slope(touch))
        return _around(slope, ((low, at_low), (high, at_high), (touch, self.at(touch))))

    def _within(self, low: Tensor, high: Tensor, touch: Tensor) -> Tensor:
        """Tangent points as they stand on the axis: in the interval, and the lower ones where the curve is convex."""
        bend = _table(type(self), low.dtype, low.device).bend
        below, above = touch.unbind()
        touch = torch.stack((below.clamp(-bend, bend), torch.where(low > 0.0, above, -above)))
        return torch.minimum(torch.maximum(touch, low), high)

    def _legal(self, low: Tensor, high: Tensor, chord: Tensor, slopes: tuple[Tensor, ...]) -> Tensor:
        """Whether the chord is below, and above, the curve, `[2, *shape]`.

        It is below where the curve is concave, or leaves a convex end towards the other end above the chord. It is
        above where the curve comes to the far end more steeply; and always across zero, since its slope is then
        between 0 and 1, which beyond `bend` no slope of the curve is.
        """
        bend = _table(type(self), low.dtype, low.device).bend
        below = ((slopes[0] >= chord) & (low >= -bend)) | ((slopes[1] <= chord) & (high <= bend))
        below |= (high <= -bend) | (low >= bend)
        above = torch.where(low > 0.0, slopes[1] >= chord, (slopes[0] <= chord) | (high >= 0.0))
        return torch.stack((below, above))


def _around(slope: Tensor, points: tuple[tuple[Tensor, Tensor], ...]) -> Lines:
    """Lower and upper line of the stacked slopes, from all points at which `f(x) - slope * x` can be extreme."""
    r = rounding(slope.dtype, slope.device)
    sign = _signs(slope.dtype, slope.device, slope.dim())
    found = []
    for x, value in points:
        product = slope * x
        # Left of zero the value is itself a difference, with the rounding of terms the size of x.
        size = detached(product).abs() + detached(value).abs() + detached(x).abs().clamp_max(_DIFFERENCE)
        found.append(torch.sub((value - product) * sign, size, alpha=r.slack))
    least = torch.minimum(torch.minimum(found[0], found[1]), found[2])
    (lower_slope, upper_slope), (lower, upper) = slope.unbind(), least.unbind()
    return Lines(lower_slope, lower, upper_slope, -upper)


@cache
def _signs(dtype: torch.dtype, device: torch.device, dims: int) -> Tensor:
    """1 and -1 along the first of some dimensions."""
    with torch.inference_mode(False):
        return torch.tensor([1.0, -1.0], dtype=dtype, device=device).view(2, *(1 for _ in range(dims - 1)))


@cache
def _table(kind: type[Swinging], dtype: torch.dtype, device: torch.device) -> Swing:
    """The tangent points of a curve, made once."""
    curve = kind()
    return swing(curve.value, curve.slope, dtype, device)
