"""What a bound backend must know of a function of one real variable."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

from torch import Tensor

from sparring.errors import RequestError, nearest
from sparring_plugins.propagation.ends import Ends

__all__ = ["CHOICES", "Choice", "Curve", "Lines", "known_choice"]

Choice = Literal["adaptive", "same", "zero", "one"]
CHOICES: tuple[str, ...] = get_args(Choice)


def known_choice(choice: str) -> None:
    """Raise `RequestError` unless `choice` names a way to choose among the sound lines."""
    if choice not in CHOICES:
        raise RequestError(f"relaxation {choice!r}: no such choice of lines; {nearest(choice, CHOICES)}")


@dataclass(frozen=True, slots=True)
class Lines:
    """Two lines that hold a curve between them on an interval, elementwise.

    `lower_slope * x + lower_intercept <= f(x) <= upper_slope * x + upper_intercept` for every real `x` of the
    interval, in exact arithmetic, for the floating-point slopes and intercepts as they stand: intercepts are moved
    outward by a few units in the last place unless the line is exact. What underflow takes away (less than four
    times the smallest normal number of the dtype) is outside this promise.
    """

    lower_slope: Tensor
    lower_intercept: Tensor
    upper_slope: Tensor
    upper_intercept: Tensor

    def each(self, change: Callable[[Tensor], Tensor]) -> Lines:
        """The same change of all four tensors."""
        parts = (self.lower_slope, self.lower_intercept, self.upper_slope, self.upper_intercept)
        return Lines(*map(change, parts))


class Curve(ABC):
    """A function of one real variable with everything needed to bound it on intervals.

    `low <= high` elementwise, of any shape, float32 or float64, on any device. Whatever is returned is
    differentiable in `low`, `high` and `alpha`, with finite gradients also where `low == high`.
    """

    partial: bool = False
    """Whether it is defined on a part of the line only, or is steep without limit at the end of one."""

    def at_ends(self, both: Tensor) -> Ends | None:
        """For curves that nowhere fall: values at both ends of intervals, [2, *shape], their errors beside them.

        None for curves that fall, or whose errors are not known in that form.
        """
        return None

    @abstractmethod
    def value(self, x: Tensor) -> Tensor:
        """The function itself, by the torch operation that the network runs."""

    @abstractmethod
    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Least and greatest value on `[low, high]`, as torch computes them: no allowance for rounding."""

    @abstractmethod
    def error(self, low: Tensor, high: Tensor) -> Tensor | float:
        """Bound on the distance of what torch computes from the true value, at any floating-point x of the interval."""

    def box(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """Ends of all that torch computes on the interval: the image moved outward by the error."""
        error = self.error(low, high)
        low, high = self.image(low, high)
        return (low, high) if isinstance(error, float) and error == 0.0 else (low - error, high + error)

    @abstractmethod
    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """Lines for CROWN.

        `choice` picks the free line at a kink: `adaptive` the one with the smaller area, `same` the slope of the
        other line, `zero` the left piece and `one` the right piece (for ReLU slopes 0 and 1). Smooth curves know
        only their adaptive lines and take any of the names.
        """

    @abstractmethod
    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The `alpha` in [0, 1], `[2, *shape]`, with which `free_lines` gives about `lines(low, high)`."""

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor | None:
        """The `alpha`, `[2, *shape of point]`, whose lines come closest to the curve at a point of the interval.

        For curves whose free lines are tangents; None for others, or where it is not known. `low` and `high` have as
        many dimensions as `point`, and are expanded to its shape.
        """
        return None

    @abstractmethod
    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Lines for alpha-CROWN: sound whatever `alpha` in [0, 1], and differentiable in it.

        `alpha[0]` moves the lower line and `alpha[1]` the upper one; `alpha` is `[2, ..., *shape]` and may have
        dimensions of its own (such as one for each output that is bounded) between the 2 and the shape.
        """
