"""What an observation or an action of one episode is: a vector or image of numbers, or one of a few choices."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.game import frozen

__all__ = ["Box", "Discrete", "Space"]


@dataclass(frozen=True, eq=False)
class Box:
    """Arrays of numbers between two limits.

    Raises:
        RequestError: the limits differ in shape, or low lies above high.
    """

    low: NDArray[np.float64]
    """Least value of every entry, [*shape]; -inf where there is none."""
    high: NDArray[np.float64]
    """Greatest value of every entry, [*shape]; inf where there is none."""
    dtype: str = "float64"
    """Type of the numbers, as numpy names it."""

    def __post_init__(self) -> None:
        for name in ("low", "high"):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), dtype=np.float64)))
        if self.low.shape != self.high.shape or bool((self.low > self.high).any()):
            raise RequestError("box: low and high need one shape, low nowhere above high")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one element."""
        return self.low.shape

    @property
    def bounded(self) -> bool:
        """Whether every entry has both limits."""
        return bool(np.isfinite(self.low).all() and np.isfinite(self.high).all())

    def __str__(self) -> str:
        return "[" + ", ".join(str(size) for size in self.shape) + "]"


@dataclass(frozen=True)
class Discrete:
    """One of `count` choices, numbered from 0."""

    count: int

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one element: a number alone."""
        return ()

    @property
    def dtype(self) -> str:
        """Type of the numbers."""
        return "int64"

    def __str__(self) -> str:
        return f"one of {self.count}"


Space = Box | Discrete
