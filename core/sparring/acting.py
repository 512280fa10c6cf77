"""What a policy that declares an ability must offer; abilities are declared, these say what they promise."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Acting", "HasActionValues", "HasCritics", "HasDeviation", "HasInputGradient", "HasModule"]


@runtime_checkable
class Acting(Protocol):
    """A policy that acts step by step, as those of the simulated form do.

    Recurrent policies carry their state in `memory`, a value of their own making that callers only hand back; an
    attacker's view of it, if any, is what the policy's form says.
    """

    def begin(self, batch: int) -> Any:
        """Memory of `batch` episodes that are about to start."""

    def act(
        self, observation: NDArray[np.generic], memory: Any, rng: np.random.Generator
    ) -> tuple[NDArray[np.generic], Any]:
        """Actions [batch, *action] for observations [batch, *observation], and the memory after them."""


@runtime_checkable
class HasModule(Protocol):
    """Declares `Ability.MODULE`: bound backends can trace its network."""

    def module(self) -> nn.Module:
        """The network from observation to action, mean action or action values, normalisation included."""


@runtime_checkable
class HasInputGradient(Protocol):
    """Declares `Ability.DIFFERENTIABLE`."""

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """Outputs [batch, outputs] that torch differentiates in the observation [batch, *observation]."""


@runtime_checkable
class HasActionValues(Protocol):
    """Declares `Ability.ACTION_VALUES`."""

    def action_values(self, observation: NDArray[np.generic], memory: Any) -> NDArray[np.float64]:
        """`Q(s, .)` for observations [batch, *observation], [batch, actions]."""


@runtime_checkable
class HasCritics(Protocol):
    """Declares `Ability.CRITIC`: brings value functions, of observations as its own network sees them."""

    @property
    def critics(self) -> tuple[str, ...]:
        """Which: `critic` for `Q(s, a)`, `value` for `V(s)`."""

    def network(self, part: str) -> nn.Module:
        """One of them: from [batch, observation] or, for `Q`, [batch, observation + action] to [batch, 1]."""


@runtime_checkable
class HasDeviation(Protocol):
    """A policy that may be Gaussian around its outputs, with a deviation that no observation changes."""

    @property
    def deviation(self) -> NDArray[Any] | None:
        """Standard deviation of each output, [outputs]; None where there is none."""
