"""What rewards are divided by: the deviation of the discounted return so far (Engstrom et al. 2020)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["discounted_returns"]

Floats = NDArray[np.float64]


def discounted_returns(
    rewards: Floats, finished: NDArray[np.bool_], before: Floats, discount: float
) -> tuple[Floats, Floats]:
    """Sums `R <- discount * R + r` over the past of each episode.

    Args:
        rewards: [steps, batch].
        finished: whether the episode was over after the step, [steps, batch]; the next one starts from 0.
        before: R before the first step, [batch].
        discount: gamma.

    Returns:
        R after each step, [steps, batch], and R before the step that comes next, [batch].
    """
    found = np.empty_like(rewards)
    running = before
    for step, (gained, over) in enumerate(zip(rewards, finished, strict=True)):
        found[step] = discount * running + gained
        running = found[step] * ~over
    return found, running
