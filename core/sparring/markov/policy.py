"""Memoryless policies of tabular games: one distribution for each state (or observation)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy, checked_probabilities

__all__ = ["MarkovPolicy"]


@dataclass(frozen=True, eq=False)
class MarkovPolicy(Policy):
    """A memoryless policy.

    Raises:
        RequestError: a row is not a distribution.
    """

    probabilities: NDArray[np.float64]
    """Of each action in each state, [states, actions]."""
    player: int | None = None
    """The seat it plays; None in one-agent games and for attackers that sit in no seat."""

    def __post_init__(self) -> None:
        table = np.asarray(self.probabilities, dtype=np.float64)
        if table.ndim != 2 or 0 in table.shape:
            raise RequestError(f"policy: shape {list(table.shape)}, expected [states, actions]")
        object.__setattr__(self, "probabilities", checked_probabilities(table, "policy"))

    @property
    def form(self) -> Form:
        """Tabular Markov games."""
        return Form.MARKOV

    @property
    def abilities(self) -> frozenset[Ability]:
        """Its probabilities are known."""
        certain = bool((self.probabilities.max(axis=-1) == 1.0).all())
        return frozenset({Ability.PROBABILITIES, *([Ability.DETERMINISTIC] if certain else [])})

    def to_document(self) -> dict[str, Any]:
        """The table as JSON values."""
        return {"kind": "markov", "player": self.player, "probabilities": self.probabilities.tolist()}
