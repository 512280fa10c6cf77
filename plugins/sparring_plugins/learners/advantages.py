"""Generalised advantages (Schulman et al. 2016, eq 16), in numpy, all episodes of a rollout at once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["generalised_advantages"]

Floats = NDArray[np.float64]


def generalised_advantages(
    rewards: Floats, values: Floats, following: Floats, finished: NDArray[np.bool_], discount: float, trace: float
) -> Floats:
    """Sums of temporal differences, discounted by `discount * trace` up to the end of each episode.

    Args:
        rewards: [steps, batch].
        values: of the observation acted on, [steps, batch].
        following: of the observation after the step, in the same episode: 0 where it came to its own end, the value of
            its last observation where it was cut, [steps, batch].
        finished: whether the episode was over after the step, either way, [steps, batch].
        discount: gamma.
        trace: lambda.
    """
    found = rewards + discount * following - values
    onward = discount * trace * ~finished
    for step in range(len(found) - 2, -1, -1):
        found[step] += onward[step] * found[step + 1]
    return found
