"""S-shaped curves: tanh, and the logistic sigmoid as a tanh seen at another scale."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.ends import Ends

from .curve import Curve, Lines, known_choice
from .rounding import detached, rounding
from .tangents import tanh_tangent

__all__ = ["Sigmoid", "Tanh"]

MANY = 4096
"""Elements from which tanh takes longer than a few calls more."""
SMALL = {torch.float64: 1e-8, torch.float32: 1e-4}  # below it tanh(w) / w is 1 to rounding


class Tanh(Curve):
    """`tanh(x)`: convex left of zero, concave right of it, odd.

    The lower line on `[low, high]` is the upper line on `[-high, -low]` turned round, so both are one computation
    on a stack of two (row 0: lower, row 1: upper). Where the chord lies above the curve it is the upper line; else
    a tangent, at the midpoint where that lies above the curve and else through the left end: of all lines above the
    curve the one of smallest area. The slope may come from any approximate tangent point: the intercept is then the
    greatest value of `tanh(x) - slope * x` on the interval, which is taken at an end or at the tangent point itself,
    so soundness rests on no table.

    Source: Zhang et al., CROWN (thesis 3.1.4, tables 3.1 and 3.2), where an interval across zero always takes the
    tangent through its end.
    """

    def value(self, x: Tensor) -> Tensor:
        """`torch.tanh(x)`."""
        return torch.tanh(x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends."""
        return torch.tanh(low), torch.tanh(high)

    def at_ends(self, both: Tensor) -> Ends:
        """The values, or for many on a processor those of the logistic sigmoid, which torch has in a fifth of the time.

        `tanh(x) = 2 sigmoid(2 x) - 1`: two spacings of the sigmoid, doubled, and half a one of the difference are an
        absolute error; that of the victim's tanh, two spacings, stays a relative one.
        """
        eps = rounding(both.dtype, both.device).eps
        if both.numel() < MANY or not both.is_cpu:
            return Ends(torch.tanh(both), 4.0 * eps)
        found: Tensor = _TanhOfMany.apply(both)
        return Ends(found, 2.0 * eps, 4.5 * eps)

    def error(self, low: Tensor, high: Tensor) -> Tensor:
        """Four spacings of a value not below `|tanh x|`: the vector libraries behind torch promise one or two."""
        r = rounding(low.dtype, low.device)
        largest = torch.maximum(high, -low).clamp_(max=1.0)  # |tanh x| <= min(|x|, 1)
        return torch.add(r.tiny, largest, alpha=4.0 * r.eps)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """The lines of least area."""
        known_choice(choice)
        slope, intercept = _least(low, high)
        (lower_slope, upper_slope), (lower, upper) = slope.unbind(), intercept.unbind()
        return Lines(lower_slope, -lower, upper_slope, upper)

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """Where the tangent point of least area lies between the nearest and the farthest that are legal."""
        return _start(low, high)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Tangent points between the one through the near end (0) and the far end of the interval (1)."""
        slope, intercept = _free(low, high, alpha)
        return Lines(slope[0], -intercept[0], slope[1], intercept[1])


class _TanhOfMany(torch.autograd.Function):
    """tanh by way of the sigmoid, with the derivative of tanh."""

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return (x + x).sigmoid_().mul_(2.0).sub_(1.0)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (found,) = ctx.saved_tensors
        back: Tensor = torch.ops.aten.tanh_backward(grad, found)
        return back


class Sigmoid(Curve):
    """`1 / (1 + exp(-x))`, which is `(1 + tanh(x / 2)) / 2`; halving and quartering do not round."""

    def value(self, x: Tensor) -> Tensor:
        """`torch.sigmoid(x)`."""
        return torch.sigmoid(x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The values at the ends."""
        return torch.sigmoid(low), torch.sigmoid(high)

    def at_ends(self, both: Tensor) -> Ends:
        """The values, each right to two spacings, and so are the victim's."""
        return Ends(torch.sigmoid(both), 4.0 * rounding(both.dtype, both.device).eps)

    def error(self, low: Tensor, high: Tensor) -> Tensor:
        """Four spacings of the largest value, which is at the right end."""
        r = rounding(low.dtype, low.device)
        return torch.add(r.tiny, torch.sigmoid(high), alpha=4.0 * r.eps)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """The lines of least area."""
        known_choice(choice)
        return _as_sigmoid(*_least(low * 0.5, high * 0.5))

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """As for tanh."""
        return _start(low * 0.5, high * 0.5)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """As for tanh."""
        return _as_sigmoid(*_free(low * 0.5, high * 0.5, alpha))


def _as_sigmoid(slope: Tensor, intercept: Tensor) -> Lines:
    """Lines of the sigmoid in `x` from the stacked lines of tanh in `x / 2`; adding 1/2 rounds once more."""
    below, above, quarter = _half(slope.dtype, slope.device)
    (lower_slope, upper_slope), (lower, upper) = (slope * quarter).unbind(), intercept.unbind()
    return Lines(lower_slope, torch.add(below, lower, alpha=-0.5), upper_slope, torch.add(above, upper, alpha=0.5))


@cache
def _half(dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """1/2 less and plus the rounding of a sum up to 2; and 1/4."""
    r = rounding(dtype, device)
    with torch.inference_mode(False):
        return r.half - r.eps, r.half + r.eps, r.half * 0.5


def _stacked(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Ends of the intervals above which lines are wanted, `[2, *shape]`."""
    return torch.stack((-high, low)), torch.stack((-low, high))


def _least(low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """The upper lines of least area, stacked: slopes and intercepts `[2, *shape]`."""
    left, right = _stacked(low, high)
    return _above(left, right, high - low, torch.maximum(torch.lerp(left, right, 0.5), tanh_tangent(left)))


def _start(low: Tensor, high: Tensor) -> Tensor:
    left, right = _stacked(low, high)
    first = torch.maximum(tanh_tangent(left), left)
    ahead, whole = torch.lerp(left, right, 0.5) - first, right - first
    return torch.where((ahead > 0.0) & (whole > 0.0), ahead / torch.where(whole > 0.0, whole, 1.0), 0.0)


def _free(low: Tensor, high: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor]:
    """Upper lines that touch the curve at a point set by alpha: `[2, ..., *shape]`."""
    left, right = _stacked(low, high)
    first = torch.maximum(tanh_tangent(left), left)
    shape = (2, *(1 for _ in range(alpha.dim() - 1 - low.dim())), *low.shape)
    left, right, first = left.view(shape), right.view(shape), first.view(shape)
    return _above(left, right, high - low, torch.lerp(first, right, alpha))


def _above(left: Tensor, right: Tensor, width: Tensor, tangent: Tensor) -> tuple[Tensor, Tensor]:
    """Slope and intercept of a line above tanh on `[left, right]`: the chord where that is legal, else a tangent.

    The chord is legal where the curve leaves its right end no less steeply than the chord does. Then, and also with
    the slope of the curve at any `d >= 0` of the interval, `tanh(x) - slope * x` is greatest at an end or at `d`.
    """
    r = rounding(left.dtype, left.device)
    at_left, at_right = torch.tanh(left), torch.tanh(right)
    # (tanh b - tanh a) / (b - a), without the difference of near numbers.
    width = torch.clamp_min(width, SMALL[left.dtype])
    chord = torch.tanh(width) / width * torch.addcmul(r.one, at_left, at_right, value=-1.0)
    flat_left, flat_right = detached(at_left), detached(at_right)
    legal = torch.addcmul(r.one, flat_right, flat_right, value=-1.0).ge_(detached(chord))  # 1 or 0
    touch = torch.minimum(tangent, right)
    at_touch = torch.tanh(touch)
    slope = torch.lerp(torch.addcmul(r.one, at_touch, at_touch, value=-1.0), chord, legal)  # exactly one of the two
    ends = torch.maximum(
        torch.addcmul(at_left, slope, left, value=-1.0), torch.addcmul(at_right, slope, right, value=-1.0)
    )
    intercept = torch.maximum(ends, torch.addcmul(at_touch, slope, touch, value=-1.0))
    # No term of these differences is larger than three times the values at the ends.
    return slope, torch.add(intercept, torch.hypot(flat_left, flat_right), alpha=r.slack)
