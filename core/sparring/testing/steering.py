"""The policy that the kit's learner trains: one table of weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance

__all__ = ["Steering"]


@dataclass(frozen=True, eq=False)
class Steering(Policy):
    """The hyperbolic tangent of weighted sums, or the place of the greatest one."""

    weights: NDArray[np.float64]
    """[outputs, features]."""
    choices: bool

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """It draws nothing."""
        return frozenset({Ability.DETERMINISTIC})

    def begin(self, batch: int) -> None:
        """It remembers nothing."""

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[NDArray[Any], Any]:
        """Row by row, as no product of BLAS is."""
        wide = np.asarray(observation, dtype=np.float64).reshape(len(observation), -1)
        outputs = np.tanh(sum(wide[:, [place]] * column for place, column in enumerate(self.weights.T)))
        return (outputs.argmax(axis=1) if self.choices else outputs), memory

    def to_document(self) -> dict[str, Any]:
        """Both fields."""
        return {"kind": "kit-steering", "weights": self.weights.tolist(), "choices": self.choices}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Steering:
        """From its document.

        Raises:
            RequestError: it is another policy's.
        """
        if document.get("kind") != "kit-steering":
            raise RequestError(f"steering: a policy of kind {document.get('kind')!r}")
        return cls(np.asarray(document["weights"], dtype=np.float64), bool(document["choices"]))
