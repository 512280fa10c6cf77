"""Curves of two straight pieces that meet at zero: LeakyReLU and the absolute value."""

from __future__ import annotations

from functools import cache

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_plugins.propagation.ends import Ends

from .curve import Curve, Lines, known_choice
from .rounding import rounding

__all__ = ["Abs", "Kink", "LeakyReLU"]


class Kink(Curve):
    """`left * x` below zero and `right * x` above.

    Where `left <= right` the curve is convex: the upper line is the chord and the lower one passes through the
    origin with any slope between the two. Else the negated curve is convex, and the lines change places.
    """

    def __init__(self, left: float, right: float) -> None:
        self.left, self.right = float(left), float(right)
        self._convex = self.left <= self.right

    def value(self, x: Tensor) -> Tensor:
        """Whichever piece `x` lies on."""
        return torch.where(x > 0.0, x * self.right, x * self.left)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """From the ends, and from the kink where it is an extreme point."""
        at_low, at_high = self.value(low), self.value(high)
        if self.left >= 0.0 and self.right >= 0.0:
            return at_low, at_high
        at_kink = self.value(torch.minimum(torch.relu(low), high))  # the point nearest to zero
        least, greatest = torch.minimum(at_low, at_high), torch.maximum(at_low, at_high)
        return torch.minimum(least, at_kink), torch.maximum(greatest, at_kink)

    def at_ends(self, both: Tensor) -> Ends | None:
        """Where no piece falls: a product here and one of the victim's, half a spacing each."""
        if self.left < 0.0 or self.right < 0.0:
            return None
        return Ends(self.value(both), rounding(both.dtype, both.device).eps)

    def error(self, low: Tensor, high: Tensor) -> Tensor | float:
        """One rounding of a product; nothing where both slopes are 0, 1 or -1."""
        if {abs(self.left), abs(self.right)} <= {0.0, 1.0}:
            return 0.0
        r = rounding(low.dtype, low.device)
        largest = torch.relu(-low) * abs(self.left) + torch.relu(high) * abs(self.right)
        return torch.add(r.tiny, largest, alpha=r.eps)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """`adaptive`: the free slope is that of the right piece if `high > -low`, else that of the left piece."""
        known_choice(choice)
        share, slope, intercept = self._chord(low, high)
        if choice == "same":
            return self._lines(slope, slope, intercept)
        free = self.adaptive(share) if choice == "adaptive" else share.floor() if choice == "zero" else share.ceil()
        return self._lines(self._between(free), slope, intercept)

    def adaptive(self, share: Tensor) -> Tensor:
        """1 for the right piece, 0 for the left one, by the share of the interval above zero: the smaller area."""
        return share.round()

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The adaptive slope for the free line; the chord has no freedom."""
        free = self.adaptive(self._chord(low, high)[0])
        fixed = torch.zeros_like(low)
        return torch.stack((free, fixed) if self._convex else (fixed, free))

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Free slope from that of the left piece (0) to that of the right piece (1) where unstable."""
        share, slope, intercept = self._chord(low, high)
        mine = torch.clamp(alpha[0] if self._convex else alpha[1], share.floor(), share.ceil())
        return self._lines(self._between(mine), slope.expand_as(mine), intercept.expand_as(mine))

    def _slopes(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Slopes of the convex one of the curve and its negation, as torch rounds them."""
        sign = 1.0 if self._convex else -1.0
        return _pair(sign * self.left, sign * self.right, like.dtype, like.device)

    def _between(self, share: Tensor) -> Tensor:
        """From the left slope (0) to the right slope (1): exact at the ends, and never beyond them."""
        left, right = self._slopes(share)
        return torch.clamp(torch.lerp(left, right, share), left, right)

    def _chord(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Share of the interval above zero, and a line above the convex curve; exact where the interval is stable."""
        r = rounding(low.dtype, low.device)
        above, below = torch.relu(high), torch.minimum(low, r.zero)
        share = above / torch.maximum(above - below, r.tiny)
        left, right = self._slopes(low)
        slope = self._between(share)
        # Each difference and product rounds once. Where stable one factor of each product is zero.
        return share, slope, torch.maximum(above * (right - slope), below * (left - slope)) * r.up

    def _lines(self, free: Tensor, slope: Tensor, intercept: Tensor) -> Lines:
        if self._convex:
            return Lines(free, torch.zeros_like(free), slope, intercept)
        return Lines(-slope, -intercept, -free, torch.zeros_like(free))


@cache
def _pair(left: float, right: float, dtype: torch.dtype, device: torch.device) -> tuple[Tensor, Tensor]:
    """Tensors without dimensions, which torch takes up faster than numbers."""
    with torch.inference_mode(False):
        return torch.tensor(left, dtype=dtype, device=device), torch.tensor(right, dtype=dtype, device=device)


class LeakyReLU(Kink):
    """`x` above zero and `slope * x` below, for any real slope.

    With a slope in [0, 1/2) the adaptive line takes the right piece where the chord rises by more than 1/2, as is
    common; the area is least by the rule of `Kink`, which differs where the share is between `(1/2 - slope) /
    (1 - slope)` and a half.
    """

    def __init__(self, slope: float = 0.01) -> None:
        super().__init__(slope, 1.0)

    def value(self, x: Tensor) -> Tensor:
        """`leaky_relu`."""
        return F.leaky_relu(x, self.left)

    def adaptive(self, share: Tensor) -> Tensor:
        """See above."""
        if not 0.0 <= self.left < 0.5:
            return super().adaptive(share)
        with torch.no_grad():
            return (self._between(share) > 0.5).to(share.dtype)


class Abs(Kink):
    """`|x|`."""

    def __init__(self) -> None:
        super().__init__(-1.0, 1.0)

    def value(self, x: Tensor) -> Tensor:
        """`torch.abs(x)`."""
        return torch.abs(x)
