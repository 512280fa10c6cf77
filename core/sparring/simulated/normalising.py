"""Policies that normalise what they see: the attacker may work before that step or after it."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError
from sparring.policy import Policy

__all__ = ["Normalising", "Restoring", "kept_to_itself"]


@runtime_checkable
class Normalising(Protocol):
    """A policy in two parts, so that `inner()` acting on `normalised(x)` is the policy acting on `x`, bit for bit."""

    def normalised(self, observation: NDArray[np.generic]) -> NDArray[Any]:
        """Observations [batch, *observation] as the network sees them, in the type that the network takes."""
        ...

    def inner(self) -> Policy:
        """The policy of normalised observations."""
        ...


@runtime_checkable
class Restoring(Normalising, Protocol):
    """What a learner's snapshots offer so that an attack can be measured behind the normalisation while it learns."""

    def observed(self, seen: NDArray[np.generic]) -> NDArray[Any]:
        """Observations [batch, *observation] that `normalised` maps to `seen`, short of rounding and of its clip."""
        ...


def kept_to_itself(where: str, who: str) -> RefusedError:
    """What to say where a victim learns and nobody knows how it normalises what it sees."""
    return RefusedError(
        f"{where}: the budget is measured behind the victim's own normalisation, which {who} keeps to itself; "
        "measure it before (space=raw, with a scale for each feature)"
    )
