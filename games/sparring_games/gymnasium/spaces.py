"""Gymnasium's spaces as those of the core."""

from __future__ import annotations

from typing import Any

import numpy as np

from sparring.errors import RequestError
from sparring.simulated.spaces import Box, Discrete, Space

__all__ = ["space_of"]


def space_of(space: Any, what: str, spec: str) -> Space:
    """The core's word for a Box or Discrete space of Gymnasium.

    Raises:
        RequestError: it is of another kind.
    """
    kind = type(space).__name__
    if kind == "Box":
        return Box(space.low.astype(np.float64), space.high.astype(np.float64), str(space.dtype))
    if kind == "Discrete":
        return Discrete(int(space.n))
    raise RequestError(
        f"{spec}: its {what} is a {kind}; worlds take Box and Discrete spaces, wrap the environment "
        "(gymnasium.wrappers.FlattenObservation makes a Box of a Dict)"
    )
