"""Policies that normalise what they see: the attacker may work before that step or after it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparring.policy import Policy

__all__ = ["Normalising"]


@runtime_checkable
class Normalising(Protocol):
    """A policy in two parts, so that `inner()` acting on `normalised(x)` is the policy acting on `x`, bit for bit."""

    def normalised(self, observation: NDArray[np.generic]) -> NDArray[Any]:
        """Observations [batch, *observation] as the network sees them, in the type that the network takes."""
        ...

    def inner(self) -> Policy:
        """The policy of normalised observations."""
        ...
