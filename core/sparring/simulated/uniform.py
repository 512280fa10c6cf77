"""The policy that does not look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance
from sparring.simulated.spaces import Box, Discrete, Space

__all__ = ["UniformPolicy"]


@dataclass(frozen=True, eq=False)
class UniformPolicy(Policy):
    """Every action of a bounded space with the same probability, anew at every step."""

    action: Space

    @classmethod
    def of(cls, action: Space, spec: str) -> UniformPolicy:
        """The uniform policy of a game.

        Raises:
            RefusedError: its actions have no limits.
        """
        if isinstance(action, Box) and not action.bounded:
            raise RefusedError(f"uniform: actions of {spec} have no limits to be uniform between")
        return cls(action)

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """Nothing that helps an attacker."""
        return frozenset()

    def begin(self, batch: int) -> None:
        """It remembers nothing."""

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[NDArray[Any], Any]:
        """Draw."""
        batch = len(observation)
        if isinstance(self.action, Discrete):
            return np.asarray(rng.random(batch) * self.action.count).astype(np.int64), memory
        share = rng.random((batch, *self.action.shape))
        return self.action.low + share * (self.action.high - self.action.low), memory

    def to_document(self) -> dict[str, Any]:
        """The space it draws from."""
        if isinstance(self.action, Discrete):
            return {"kind": "uniform", "count": self.action.count}
        return {"kind": "uniform", "low": self.action.low.tolist(), "high": self.action.high.tolist()}
