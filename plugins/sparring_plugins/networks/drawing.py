"""Draws from the distributions that networks give."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.chance import Chance

__all__ = ["drawn"]


def drawn(logits: NDArray[Any], rng: Chance) -> NDArray[np.int64]:
    """One of each row's choices [batch], with the probabilities that its logits [batch, choices] give."""
    weights = np.exp(logits.astype(np.float64) - logits.max(axis=1, keepdims=True))
    reached = np.cumsum(weights, axis=1)
    wanted = np.asarray(rng.random(len(logits)))[:, None] * reached[:, -1:]
    found: NDArray[np.int64] = np.minimum((reached <= wanted).sum(axis=1), logits.shape[1] - 1)
    return found
