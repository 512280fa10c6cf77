"""Whether a learned attacker has learned what there was to learn, by the scores of its iterates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from sparring_plugins.oracles._learning_progress import Tried

__all__ = ["doubts_of"]

LEVEL = 0.95
"""One-sided confidence of what is said."""
PART = 0.05
"""Share of the whole fall that a fall at the end must have, to be worth a word."""


def doubts_of(tried: Sequence[Tried], steps: int) -> list[str]:
    """What stands in the document.

    Args:
        tried: all scored iterates, the untrained one first.
        steps: simulator steps of training that were asked for.
    """
    first, last = tried[0], tried[-1]
    best = min(tried, key=lambda each: each.mean)
    told = []
    if last.steps < steps:
        told.append(f"the time was up after {last.steps} of {steps} steps")
    if not _below(best, first):
        told.append(
            f"training did not improve on its start: {best.mean:.6g} at best, {first.mean:.6g} untrained; "
            "more steps or other settings may"
        )
        return told
    part = max(1, len(tried) // 4)
    late, early = (
        np.mean([each.returns for each in some], axis=0) for some in (tried[-part:], tried[-2 * part : -part])
    )
    if len(tried) > 2 * part and _clearly(early - late) and (early - late).mean() > PART * (first.mean - best.mean):
        told.append(
            f"returns were still falling at the end, from {early.mean():.6g} to {late.mean():.6g}; train longer"
        )
    if last.mean - best.mean > (first.mean - best.mean) / 2:
        told.append(
            f"training was unstable: the attacker kept, after {best.steps} steps, reaches {best.mean:.6g}, the last "
            f"one {last.mean:.6g}; a lower learning_rate may help"
        )
    return told


def _below(one: Tried, other: Tried) -> bool:
    """Whether the victim clearly gets less from one than from the other."""
    return _clearly(np.subtract(other.returns, one.returns))


def _clearly(excess: NDArray[np.float64]) -> bool:
    """Whether differences over the same episodes are above 0 at the level; equal ones are not."""
    count = len(excess)
    error = float(np.std(excess, ddof=1)) / math.sqrt(count)
    return float(excess.mean()) > float(stdtrit(count - 1, LEVEL)) * error
