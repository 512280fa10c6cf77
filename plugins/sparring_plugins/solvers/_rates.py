"""Step sizes over iterations."""

from __future__ import annotations

import math
from typing import Literal

__all__ = ["Decay", "rate_at"]

Decay = Literal["none", "sqrt"]


def rate_at(rate: float, decay: Decay, iteration: int) -> float:
    """Step size of an iteration, counted from 0: constant, or `rate / sqrt(iteration + 1)`."""
    return rate if decay == "none" else rate / math.sqrt(iteration + 1)
