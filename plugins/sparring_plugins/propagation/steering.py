"""How the free lines of a curve are moved while bounds are optimised: one alpha for each row and unit.

Nothing here has to be sound: it only proposes alphas, and bounds are computed from `Curve.free_lines` afterwards.
A row takes the lower line of a unit where its coefficient is not negative, else the upper one, so it has one alpha
for a unit. Every bound is `min_x max_alpha` of something bilinear in slopes and values; with the lines fixed the
inner minimum has its values `v` at every unit, and the best line for these values is known or has a gradient.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import Curve, Kink, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.curves.tangents import tanh_tangent
from sparring_plugins.propagation.nodes import Elementwise, Interval, Node, Planar, Planes

__all__ = ["Pace", "Steering", "steering"]


@dataclass(frozen=True)
class Pace:
    """How far alphas move: by `rate / step ** decay`, steps counted from 1."""

    rate: float = 0.5
    decay: float = 0.7

    def at(self, step: int) -> float:
        """Length of a step."""
        return self.rate / step**self.decay


class Steering(ABC):
    """The alphas of one curve in one optimisation."""

    alpha: Tensor
    """In [0, 1], [batch, rows, *shape]."""

    @abstractmethod
    def begin(self, positive: Tensor) -> None:
        """Start at the lines of CROWN; `positive` is 1 where a row takes the lower line, else 0."""

    @abstractmethod
    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        """A slope for each input and an intercept, [batch, rows, *shape]; `positive` [batch or 1, rows, *shape]."""

    @abstractmethod
    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        """Improve `alpha`.

        Args:
            rows: coefficients at the node's output, as the last `line` was asked for.
            values: of the node's inputs where the bound is attained, [batch, rows, *shape] each.
            step: from 1.
            pace: of the gradient.
        """


class _Ascending(Steering):
    """Steps along the mean of late gradients, each unit's scaled by how large its gradients were.

    That is RMSProp with momentum, but for means of absolute values instead of squares, which would underflow.
    """

    def __init__(self) -> None:
        self._mean: Tensor | None = None
        self._size: Tensor | None = None

    def ascend(self, gradient: Tensor, step: int, pace: Pace) -> None:
        """Move `alpha` uphill; the caller keeps it within bounds."""
        if self._mean is None or self._size is None:
            self._mean, self._size = gradient, gradient.abs().add_(torch.finfo(gradient.dtype).tiny ** 0.5)
        else:
            self._mean.lerp_(gradient, 0.6)
            self._size.lerp_(gradient.abs(), 0.2)
        self.alpha.addcdiv_(self._mean, self._size, value=pace.at(step))


class _KinkSteering(_Ascending):
    """Alpha leads the line through the kink from the left piece (0) to the right one (1).

    Where a row takes the chord, on the other side, there is nothing to choose.
    """

    def __init__(self, curve: ReLU | Kink, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self._left, self._right = (curve.left, curve.right) if isinstance(curve, Kink) else (0.0, 1.0)
        self._convex, lines = self._left <= self._right, curve.lines(low, high)
        self._first = curve.start(low, high)[0 if self._convex else 1]
        self._chord = lines.upper_slope if self._convex else lines.lower_slope
        self._intercept = lines.upper_intercept if self._convex else lines.lower_intercept
        self._least, self._most = (low >= 0).to(low.dtype), (high > 0).to(low.dtype)
        self._signs: Tensor | None = None

    def begin(self, positive: Tensor) -> None:
        self.alpha = self._first.expand(self._first.shape[0], *positive.shape[1:]).clone()

    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        if self._signs is not positive:  # the first curve's rows never change
            self._signs, negative = positive, 1 - positive
            self._free, fixed = (positive, negative) if self._convex else (negative, positive)
            slope = self._chord * fixed
            if self._left != 0.0:
                slope = slope.add_(self._free, alpha=self._left)
            self._own = slope, self._intercept * fixed
        return (torch.addcmul(self._own[0], self.alpha, self._free, value=self._right - self._left),), self._own[1]

    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        weights = rows.clamp(min=0) if self._convex else rows.clamp(max=0).neg_()
        self.ascend(weights * values[0], step, pace)
        torch.clamp(self.alpha, self._least, self._most, out=self.alpha)


class _Answering(Steering):
    """Alpha is where a tangent touches; at fixed values the best one touches at the value itself.

    The answer to the values of all steps so far, of which later ones count more, converges as fictitious play does,
    but from the first step on it is nearly there.
    """

    def answer(self, best: Tensor, step: int) -> None:
        """Move `alpha` towards what is best for the last values."""
        self.alpha.lerp_(best, min(1.0, 2.0 / (step + 1)))


class _TanhSteering(_Answering):
    """Alpha is where the tangent touches, between the point nearest to zero (0) and the far end (1)."""

    def __init__(self, low: Tensor, high: Tensor, start: Tensor, scale: float, shift: float) -> None:
        """For `scale * tanh(x) + shift`; scale also multiplies the input."""
        self._scale, self._shift, self._start = scale, shift, start
        low, high = low * scale, high * scale
        left, right = torch.stack((-high, low)), torch.stack((-low, high))
        self._first = torch.minimum(torch.maximum(tanh_tangent(left), left), right)
        self._span = (right - self._first).clamp(min=torch.finfo(low.dtype).tiny)
        ends = torch.tanh(left), torch.tanh(right)
        width = (high - low).clamp(min=torch.finfo(low.dtype).eps ** 0.5)
        self._chord = torch.tanh(width) / width * (1 - ends[0] * ends[1])
        self._legal = (1 - ends[1] ** 2 >= self._chord).to(low.dtype)
        self._through = ends[1] - self._chord * right
        self._signs: Tensor | None = None

    def begin(self, positive: Tensor) -> None:
        self.alpha = torch.lerp(self._start[1], self._start[0], positive)

    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        if self._signs is not positive:  # the first curve's rows never change
            self._signs, self._sign = positive, 1 - 2 * positive
            whole = (self._first, self._span, self._legal, self._chord, self._through)
            self._own = [torch.lerp(part[1], part[0], positive) for part in whole]
        first, span, legal, chord, through = self._own
        self._touch = torch.addcmul(first, span, self.alpha)
        height = torch.tanh(self._touch)
        slope = 1 - height * height
        intercept = torch.addcmul(height, slope, self._touch, value=-1).lerp_(through, legal)
        slope = slope.lerp_(chord, legal)
        if self._scale == 1.0:
            return (slope,), intercept * self._sign
        return (slope * self._scale**2,), (intercept * self._sign).mul_(self._scale).add_(self._shift)

    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        first, span = self._own[:2]
        self.answer((values[0] * self._sign).mul_(self._scale).sub_(first).div_(span).clamp_(0, 1), step)


class _TangentSteering(_Answering):
    """Any other curve whose free lines are tangents."""

    def __init__(self, curve: Curve, low: Tensor, high: Tensor) -> None:
        self._curve, self._low, self._high = curve, low, high
        self._start = curve.start(low, high)

    def begin(self, positive: Tensor) -> None:
        self.alpha = torch.lerp(self._start[1], self._start[0], positive)

    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        self._positive = positive
        lines = self._curve.free_lines(self._low, self._high, self.alpha.expand(2, *self.alpha.shape))
        slope = torch.lerp(lines.upper_slope, lines.lower_slope, positive)
        return (slope,), torch.lerp(lines.upper_intercept, lines.lower_intercept, positive)

    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        best = self._curve.touching(self._low, self._high, values[0])
        assert best is not None
        self.answer(torch.lerp(best[1], best[0], self._positive), step)


class _AnySteering(_Ascending):
    """Any other curve, through its `free_lines`."""

    def __init__(self, curve: Curve, low: Tensor, high: Tensor) -> None:
        super().__init__()
        self._curve, self._low, self._high = curve, low, high
        self._start = curve.start(low, high)

    def begin(self, positive: Tensor) -> None:
        self.alpha = torch.lerp(self._start[1], self._start[0], positive)

    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        count = self.alpha.shape[1]
        # Clones, because a caller's inference mode would leave tensors that take no part in differentiation.
        with torch.inference_mode(False), torch.enable_grad():
            self._leaf = self.alpha.clone().requires_grad_()
            low, high = (end.clone().expand(-1, count, *end.shape[2:]).flatten(0, 1) for end in (self._low, self._high))
            lines = self._curve.free_lines(low, high, self._leaf.flatten(0, 1).expand(2, -1, *self.alpha.shape[2:]))
            own = [
                torch.lerp(above.view_as(self._leaf), below.view_as(self._leaf), positive.clone())
                for below, above in (
                    (lines.lower_slope, lines.upper_slope), (lines.lower_intercept, lines.upper_intercept)
                )
            ]  # fmt: skip
        self._own = own
        return (own[0].detach(),), own[1].detach()

    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        with torch.inference_mode(False):
            pairs = zip(self._own, (rows * values[0], rows.expand_as(values[0])), strict=True)
            moving = [(part, weight.clone()) for part, weight in pairs if part.requires_grad]
            if not moving:
                return
            parts, weights = zip(*moving, strict=True)
            (gradient,) = torch.autograd.grad(parts, self._leaf, weights)
        self.ascend(gradient, step, pace)
        self.alpha.clamp_(0, 1)


class _PlanarSteering(_Ascending):
    """Alpha mixes two choices of planes: the bound is linear in it."""

    def __init__(self, first: Planes, second: Planes) -> None:
        super().__init__()
        self._lower = [(one, other - one) for one, other in zip(_parts(first, 0), _parts(second, 0), strict=True)]
        self._upper = [(one, other - one) for one, other in zip(_parts(first, 1), _parts(second, 1), strict=True)]

    def begin(self, positive: Tensor) -> None:
        like = self._lower[0][0]
        self.alpha = like.new_zeros(like.shape[0], *positive.shape[1:])

    def line(self, positive: Tensor) -> tuple[tuple[Tensor, ...], Tensor]:
        self._turns, found = list[Tensor](), list[Tensor]()
        for below, above in zip(self._lower, self._upper, strict=True):
            start, turn = (torch.lerp(high, low, positive) for low, high in zip(below, above, strict=True))
            self._turns.append(turn)
            found.append(torch.addcmul(start, turn, self.alpha))
        return tuple(found[:-1]), found[-1]

    def move(self, rows: Tensor, values: Sequence[Tensor], step: int, pace: Pace) -> None:
        gain = self._turns[-1]
        for turn, value in zip(self._turns[:-1], values, strict=True):
            gain = torch.addcmul(gain, turn, value)
        self.ascend(rows * gain, step, pace)
        self.alpha.clamp_(0, 1)


def _parts(planes: Planes, side: int) -> tuple[Tensor, ...]:
    """Slopes and then the intercept of the lower (0) or upper (1) plane, [batch, 1, *shape]."""
    slopes, intercept = ((planes.lower, planes.lower_intercept), (planes.upper, planes.upper_intercept))[side]
    return tuple(part.detach().unsqueeze(1) for part in (*slopes, intercept))


def steering(node: Node, sources: Sequence[Interval]) -> Steering | None:
    """What moves the lines or planes of a node with inputs in these boxes, [batch, *shape]; None if nothing can."""
    if isinstance(node, Planar):
        other = node.other_planes(*sources)
        return None if other is None else _PlanarSteering(node.planes(*sources), other)
    assert isinstance(node, Elementwise)
    curve, (low, high) = node.curve, (end.detach().unsqueeze(1) for end in sources[0])
    if isinstance(curve, ReLU | Kink):
        return _KinkSteering(curve, low, high)
    if isinstance(curve, Tanh):
        return _TanhSteering(low, high, curve.start(low, high), 1.0, 0.0)
    if isinstance(curve, Sigmoid):
        return _TanhSteering(low, high, curve.start(low, high), 0.5, 0.5)
    tangents = curve.touching(low, high, low) is not None
    return _TangentSteering(curve, low, high) if tangents else _AnySteering(curve, low, high)
