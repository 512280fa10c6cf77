"""The contract of a channel: it takes proposals and makes the change that is paid for."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import ChargedAccess

__all__ = ["Channel", "beside"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Channel(ABC):
    """One charged access. Proposals are [batch, width], in units of the budget or from -1 to 1."""

    part: ChargedAccess
    width: int
    """Numbers in a proposal."""

    @property
    def radius(self) -> float:
        """The budget's value."""
        return self.part.budget.value

    @property
    def who(self) -> str:
        """The attacker, for messages."""
        return f"attacker of {self.part.threat}"

    @property
    def tosses(self) -> bool:
        """Whether what it does hangs on a coin."""
        return False

    @property
    def counts(self) -> bool:
        """Whether what it does hangs on how often it has been used."""
        return False

    def spent(self, target: Array, made: Array, used: NDArray[np.int64]) -> Flags:
        """Where making this of the target is a use, [batch]; asked only of channels that count."""
        return np.asarray((made != target).reshape(len(target), -1).any(axis=1))

    @abstractmethod
    def apply(self, target: Array, proposal: Array, coin: Floats, used: NDArray[np.int64]) -> Array:
        """Charge a proposal.

        Args:
            target: what is touched, [batch, ...].
            proposal: [batch, width].
            coin: uniform numbers from 0 up to 1, one for each episode, [batch]; all 0 where it tosses none.
            used: steps of each episode on which this channel has been used before, [batch]; 0 if it does not count.

        Returns:
            What the victim sees or the world is sent or told.
        """


def beside(rows: Flags, array: Array) -> Flags:
    """Rows [batch] shaped to stand beside [batch, ...]."""
    return rows.reshape(-1, *(1 for _ in array.shape[1:]))
