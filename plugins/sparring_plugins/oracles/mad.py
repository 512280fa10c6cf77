"""Maximal action difference."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame
from sparring.oracle import Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._gradient_oracle import GradientOracle


class MadOptions(PluginOptions):
    """Options of `mad`."""

    steps: int = Field(10, ge=1, le=1000, description="Langevin steps", json_schema_extra=unit("steps", searched=False))
    rate: float = Field(0.0, ge=0, le=2, description="length of a step in units of the budget; 0 for 1 / steps")
    beta: float = Field(
        0.0, ge=0, description="inverse temperature: the greater, the less noise; 0 for noise of 5% of the gradient"
    )


class Mad(GradientOracle):
    """Raises the KL divergence from the nominal action distribution by Langevin dynamics, from the true observation."""

    name: ClassVar[str] = "mad"
    summary: ClassVar[str] = "the greatest change of the action distribution, by Langevin dynamics"
    source: ClassVar[str] = "thesis, section 6.4.4, equation 6.16 and algorithm 6.11"
    Options: ClassVar[type[PluginOptions]] = MadOptions

    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """As the options say; steps are signs, or unit vectors of the ball's norm."""
        chosen = self.options
        rate = chosen.rate or 1 / chosen.steps
        return GradientAttacker("divergence", chosen.steps, rate, start="centre", beta=chosen.beta)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `mad`."""
    return [Mad]
