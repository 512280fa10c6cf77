"""From drawn numbers to the world's actions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.simulated.spaces import Box, Discrete, Space

__all__ = ["fitting", "stretch"]

Array = NDArray[Any]


def fitting(space: Space, manner: str) -> Callable[[Array], Array]:
    """What makes actions [batch, *action] of drawn numbers [batch, outputs]; choices are what they are.

    Args:
        space: of one action.
        manner: `raw`, `clipped`, or `hardtanh`, which stretches [-1, 1] to the limits and clips there.

    Raises:
        RequestError: actions without limits to stretch to.
    """
    if isinstance(space, Discrete) or manner == "raw":
        return lambda drawn: drawn
    low, high = space.low.astype(space.dtype), space.high.astype(space.dtype)

    def clipped(drawn: Array) -> Array:
        return np.asarray(np.minimum(np.maximum(drawn, low), high))

    if manner == "clipped":
        return clipped
    middle, reach = stretch(space)
    return lambda drawn: clipped(middle + reach * drawn)


def stretch(space: Box) -> tuple[Array, Array]:
    """Middle and half the width of a box, float32.

    Raises:
        RequestError: it has no limits.
    """
    if not space.bounded:
        raise RequestError("ppo: actions=hardtanh needs actions with limits, choose actions=raw")
    return ((space.low + space.high) / 2).astype(np.float32), ((space.high - space.low) / 2).astype(np.float32)
