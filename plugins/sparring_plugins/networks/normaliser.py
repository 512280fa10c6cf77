"""Frozen normalisation of observations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.game import frozen

__all__ = ["Normaliser"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Normaliser:
    """`clip((x - mean) / deviation, -clip, clip)`, in float64, then made float32.

    Raises:
        RequestError: the numbers are not finite, or a deviation is not above 0.
    """

    mean: Floats
    """[*observation]."""
    deviation: Floats
    """[*observation], what is added to a standard deviation included."""
    clip: float | None = None
    """None for no limit."""

    def __post_init__(self) -> None:
        for name in ("mean", "deviation"):
            object.__setattr__(self, name, frozen(np.asarray(getattr(self, name), dtype=np.float64)))
        finite = np.isfinite(self.mean).all() and np.isfinite(self.deviation).all()
        if self.mean.shape != self.deviation.shape or not finite or not (self.deviation > 0).all():
            raise RequestError("normalisation: needs finite means and deviations above 0, of one shape")
        if self.clip is not None and not self.clip > 0:
            raise RequestError(f"normalisation: clip {self.clip}, expected a number above 0")

    def __call__(self, observation: NDArray[Any]) -> NDArray[np.float32]:
        """Normalised observations, [batch, *observation]."""
        scaled = np.asarray(observation, dtype=np.float64) - self.mean
        np.divide(scaled, self.deviation, out=scaled)
        if self.clip is not None:
            np.maximum(scaled, -self.clip, out=scaled)
            np.minimum(scaled, self.clip, out=scaled)
        return scaled.astype(np.float32)

    def undone(self, seen: NDArray[Any]) -> Floats:
        """What normalises to `seen` [batch, *observation], short of rounding; beyond the clip nothing does."""
        return np.asarray(self.mean + self.deviation * np.asarray(seen, dtype=np.float64))
