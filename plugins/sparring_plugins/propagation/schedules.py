"""How radii, and weights of losses, change while a network is trained (thesis, sections 5.2 and 5.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sparring.errors import RequestError

__all__ = ["Ramp"]


@dataclass(frozen=True)
class Ramp:
    """A number that goes from one value to another in a stretch of training, and is constant before and after.

    For certified training let the radius rise from 0 to its target, and the `beta` of `crown-ibp` fall from 1 to 0
    over the same stretch.

    Raises:
        RequestError: the length is negative, or the middle or exponent out of range.
    """

    start: float
    """Step at which it begins, in any unit: batches or epochs, with fractions."""
    length: float
    """Steps that it takes; 0 for a jump."""
    first: float = 0.0
    """Value before."""
    last: float = 1.0
    """Value after."""
    shape: Literal["linear", "smooth"] = "linear"
    """`smooth` sets out slowly, as a power of time, and goes on along the tangent of that power from `middle` on."""
    middle: float = 0.25
    """Share of the length that is the power; in (0, 1]."""
    exponent: float = 4.0
    """The power; from 1."""

    def __post_init__(self) -> None:
        if self.length < 0:
            raise RequestError(f"ramp: length {self.length}, expected a number from 0")
        if self.shape not in ("linear", "smooth"):
            raise RequestError(f"ramp: shape {self.shape!r}, choose from: 'linear', 'smooth'")
        if not 0 < self.middle <= 1 or self.exponent < 1:
            raise RequestError(
                f"ramp: middle {self.middle} and exponent {self.exponent}, expected 0 < middle <= 1 and exponent >= 1"
            )

    def at(self, step: float) -> float:
        """The value at a step."""
        if step >= self.start + self.length:
            return self.last
        if step <= self.start:
            return self.first
        share = (step - self.start) / self.length
        return self.first + (self.last - self.first) * (share if self.shape == "linear" else self._smooth(share))

    def _smooth(self, share: float) -> float:
        """`c share^p` up to the middle and its tangent beyond, with the `c` for which the end is 1."""
        middle, power = self.middle, self.exponent
        slope = power * middle ** (power - 1)
        scale = 1 / (middle**power + slope * (1 - middle))
        return scale * (share**power if share < middle else middle**power + slope * (share - middle))
