"""f-divergences between distributions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["CHI_SQUARED", "HELLINGER", "KULLBACK_LEIBLER", "TOTAL_VARIATION", "Divergence"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Divergence:
    """`D_f(p || q) = sum_i q_i f(p_i / q_i)` for a convex `f` with `f(1) = 0` (Csiszar 1967)."""

    name: str
    f: Callable[[Floats], Floats]
    """Elementwise, defined on [0, inf)."""
    growth: float
    """`lim f(t) / t` for `t` to infinity: what an outcome counts that only `p` has."""

    def between(self, p: Floats, q: Floats) -> Floats:
        """`D_f(p || q)` along the last axis; `p` and `q` broadcast against each other. May be inf."""
        first, second = np.broadcast_arrays(np.asarray(p, np.float64), np.asarray(q, np.float64))
        shared = second > 0
        ratio = np.divide(first, second, where=shared, out=np.ones(first.shape))
        inside = np.where(shared, second * self.f(ratio), 0.0).sum(axis=-1)
        alone = np.where(shared, 0.0, first).sum(axis=-1)
        outside = np.multiply(self.growth, alone, where=alone > 0, out=np.zeros(alone.shape))
        return np.asarray(inside + outside)


def _t_log_t(ratio: Floats) -> Floats:
    return np.asarray(ratio * np.log(ratio, where=ratio > 0, out=np.zeros(ratio.shape)))


TOTAL_VARIATION = Divergence("total-variation", lambda t: np.abs(t - 1.0) / 2, 0.5)
"""Half the l1 distance."""
KULLBACK_LEIBLER = Divergence("kullback-leibler", _t_log_t, math.inf)
"""In nats."""
CHI_SQUARED = Divergence("chi-squared", lambda t: np.square(t - 1.0), math.inf)
HELLINGER = Divergence("squared-hellinger", lambda t: np.square(np.sqrt(t) - 1.0), 1.0)
