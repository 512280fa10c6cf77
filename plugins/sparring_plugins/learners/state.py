"""A learner between two updates: all that the next one depends on; no part is ever changed in place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring.simulated.spaces import Box, Space
from sparring_plugins.learners.adam import Averages
from sparring_plugins.learners.moments import Moments

__all__ = ["Ongoing", "PpoState"]


@dataclass(frozen=True, eq=False)
class Ongoing:
    """The episodes that a rollout left unfinished."""

    world: Any
    """What `World.save` gave."""
    memory: NDArray[np.float32]
    """Of the networks, [batch, width]."""
    discounted: NDArray[np.float64]
    """Discounted return up to now, [batch]."""
    returns: NDArray[np.float64]
    """Return up to now, [batch]."""
    lengths: NDArray[np.int64]
    """Steps up to now, [batch]."""


@dataclass(frozen=True, eq=False)
class PpoState:
    """Weights, what Adam remembers, statistics, and where the episodes stand.

    There is no generator in it: the chance of an update comes from the seed and the number of updates before it.
    Updates copy the weights, a few microseconds, so that an interrupted one leaves a whole state behind.
    """

    observation: Box
    action: Space
    seed: int
    weights: Tensor
    """Flat, [size]."""
    averages: Averages
    seen: Moments
    """Of observations, [inputs]."""
    gained: Moments
    """Of discounted returns, []."""
    updates: int = 0
    steps: int = 0
    """Simulator steps."""
    ongoing: Ongoing | None = None
    """None: the next rollout begins new episodes."""

    def detached(self) -> PpoState:
        """The same learner without its episodes, for another world."""
        return replace(self, ongoing=None)
