"""An inequality with both sides computed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Inequality"]


@dataclass(frozen=True, eq=False)
class Inequality:
    """`left <= right`, one pair or arrays of pairs that broadcast against each other."""

    left: float | NDArray[np.float64]
    right: float | NDArray[np.float64]

    def holds(self, tolerance: float = 1e-9) -> bool:
        """Whether no pair breaks it by more than `tolerance`, which is for rounding."""
        return bool(np.all(np.less_equal(self.left, np.add(self.right, tolerance))))

    @property
    def slack(self) -> float:
        """The least `right - left`; where both are infinite that pair has infinite slack."""
        left, right = np.broadcast_arrays(np.asarray(self.left), np.asarray(self.right))
        bounded = ~np.isposinf(right)
        return float(np.subtract(right, left, where=bounded, out=np.full(right.shape, np.inf)).min())
