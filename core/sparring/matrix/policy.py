"""Mixed strategies of matrix games."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy, checked_probabilities

__all__ = ["MatrixPolicy"]


@dataclass(frozen=True, eq=False)
class MatrixPolicy(Policy):
    """A mixed strategy.

    Raises:
        RequestError: it is not a distribution.
    """

    probabilities: NDArray[np.float64]
    """Of each action, [actions]."""
    player: int | None = None
    """The seat it plays; None for attackers that sit in no seat."""

    def __post_init__(self) -> None:
        vector = np.asarray(self.probabilities, dtype=np.float64)
        if vector.ndim != 1 or len(vector) == 0:
            raise RequestError(f"policy: shape {list(vector.shape)}, expected [actions]")
        object.__setattr__(self, "probabilities", checked_probabilities(vector[None], "policy", ["it"])[0])

    @property
    def form(self) -> Form:
        """Matrix games."""
        return Form.MATRIX

    @property
    def abilities(self) -> frozenset[Ability]:
        """Its probabilities are known."""
        certain = bool(self.probabilities.max() == 1.0)
        return frozenset({Ability.PROBABILITIES, *([Ability.DETERMINISTIC] if certain else [])})

    def to_document(self) -> dict[str, Any]:
        """The strategy as JSON values."""
        return {"kind": "matrix", "player": self.player, "probabilities": self.probabilities.tolist()}
