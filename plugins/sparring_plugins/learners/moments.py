"""Mean and variance of all that was seen, kept up batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Moments"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """How many numbers there were, their mean, and their squared distances from it; never changed in place."""

    count: float
    mean: Floats
    """[*shape]."""
    spread: Floats
    """Sum of squared distances, [*shape]."""

    @classmethod
    def none(cls, shape: tuple[int, ...]) -> Moments:
        """Before anything is seen."""
        return cls(0.0, np.zeros(shape), np.zeros(shape))

    def with_rows(self, rows: NDArray[np.generic]) -> Moments:
        """With more rows [rows, *shape] seen (Chan, Golub, LeVeque 1983)."""
        given = np.asarray(rows, dtype=np.float64)
        mean = given.mean(axis=0)
        count = self.count + len(given)
        apart = mean - self.mean
        spread = self.spread + np.square(given - mean).sum(axis=0) + apart**2 * (self.count * len(given) / count)
        return Moments(count, self.mean + apart * (len(given) / count), spread)

    @property
    def deviation(self) -> Floats:
        """Standard deviation; 1 before anything is seen."""
        return np.sqrt(self.spread / self.count) if self.count > 0 else np.ones_like(self.spread)
