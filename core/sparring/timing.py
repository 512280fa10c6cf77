"""On which steps the attacker may act: at all, on a part of them, or on a number of them in each episode."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError

__all__ = ["Timing"]


@dataclass(frozen=True)
class Timing:
    """When a channel is open.

    Raises:
        RequestError: a share outside of [0, 1], or no whole number of steps.
    """

    share: float = 1.0
    """Probability that it is open at a step, decided anew at every step."""
    most: int | None = None
    """Steps of an episode on which it may be used; None for no limit. A step without a change costs nothing."""

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 1:
            raise RequestError(f"share {self.share}: a probability from 0 to 1")
        if self.most is not None and (self.most < 0 or self.most != int(self.most)):
            raise RequestError(f"most {self.most}: a whole number of steps from 0")

    @property
    def always(self) -> bool:
        """Whether it is open at every step."""
        return self.share == 1 and self.most is None

    def open(self, coin: NDArray[np.float64], used: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the attacker may act now, [batch].

        Args:
            coin: uniform numbers from 0 up to 1, [batch].
            used: steps of each episode on which it has acted, [batch].
        """
        left = np.ones(len(used), dtype=np.bool_) if self.most is None else used < self.most
        return np.asarray((coin < self.share) & left)
