"""Action values of the victim itself, turned against it."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Operation
from sparring.errors import RefusedError
from sparring.oracle import Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Ability, Policy
from sparring.simulated.spaces import Discrete
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._gradient_oracle import GradientOracle


class MinQOptions(PluginOptions):
    """Options of `min-q`."""

    steps: int = Field(
        10, ge=1, le=1000, description="steps from each start", json_schema_extra=unit("steps", searched=False)
    )
    rate: float = Field(0.0, ge=0, le=2, description="length of a step in units of the budget; 0 for 2 / steps")
    restarts: int = Field(
        1,
        ge=1,
        le=100,
        description="random starts; the lowest value counts",
        json_schema_extra=unit("starts", searched=False),
    )


class MinQ(GradientOracle):
    """Lowers the true state's action value of the action that the victim is led to."""

    name: ClassVar[str] = "min-q"
    summary: ClassVar[str] = "leads a victim of discrete actions to the action with the least value"
    source: ClassVar[str] = "thesis, sections 6.4.1 and 6.4.2: equation 6.14 for discrete actions"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Ability.DIFFERENTIABLE, Ability.ACTION_VALUES})
    Options: ClassVar[type[PluginOptions]] = MinQOptions

    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """As the options say."""
        if not isinstance(getattr(duel.game, "action", None), Discrete):
            raise RefusedError(f"oracle min-q on {duel.game.spec}: needs a game of discrete actions")
        chosen = self.options
        return GradientAttacker("min-q", chosen.steps, chosen.rate or 2 / chosen.steps, chosen.restarts)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `min-q`."""
    return [MinQ]
