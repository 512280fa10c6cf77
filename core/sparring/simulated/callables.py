"""Any Python callable as a policy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance

__all__ = ["CallablePolicy"]


@dataclass(frozen=True, eq=False)
class CallablePolicy(Policy):
    """A function from observations [batch, *observation] to actions [batch, *action]; nothing else is known of it."""

    name: str
    """Where it came from, such as `package.module:function`."""
    function: Callable[[NDArray[Any]], Any]

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """None is known."""
        return frozenset()

    def begin(self, batch: int) -> None:
        """It remembers nothing that this class knows of."""

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[NDArray[Any], Any]:
        """Call it.

        Raises:
            RequestError: it does not give one action for each observation.
        """
        actions = np.asarray(self.function(observation))
        if actions.ndim == 0 or len(actions) != len(observation):
            raise RequestError(
                f"policy {self.name}: gave an array of shape {list(actions.shape)} "
                f"for {len(observation)} observations, expected one action for each"
            )
        return actions, memory

    def to_document(self) -> dict[str, Any]:
        """Its name; a function cannot be written down."""
        return {"kind": "python", "callable": self.name}
