"""First weights: orthogonal, as PPO has had them since its first code."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["orthogonal"]


def orthogonal(rng: np.random.Generator, rows: int, columns: int, gain: float) -> NDArray[np.float64]:
    """A matrix [rows, columns] whose shorter side is orthogonal, times `gain` (Saxe, McClelland, Ganguli 2014)."""
    tall = rng.standard_normal((max(rows, columns), min(rows, columns)))
    factor, triangle = np.linalg.qr(tall)
    factor = factor * np.sign(np.diag(triangle))  # without it the law would depend on how the factors are computed
    return gain * (factor if rows >= columns else factor.T)
