"""Projected gradient ascent away from the nominal action."""

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

REACH = 2.5
"""Steps together are this many budgets long where no rate is named, so that the far side of the ball is in reach."""


class PgdOptions(PluginOptions):
    """Options of `pgd`."""

    steps: int = Field(
        10, ge=1, le=1000, description="steps from each start", json_schema_extra=unit("steps", searched=False)
    )
    rate: float = Field(0.0, ge=0, le=2, description="length of a step in units of the budget; 0 for 2.5 / steps")
    restarts: int = Field(
        1,
        ge=1,
        le=100,
        description="random starts; the highest end counts",
        json_schema_extra=unit("starts", searched=False),
    )
    momentum: float = Field(0.0, ge=0, lt=1, description="part of the last direction that is kept")


class Pgd(GradientOracle):
    """Steps uphill within the ball, from random starts."""

    name: ClassVar[str] = "pgd"
    summary: ClassVar[str] = "gradient steps away from the nominal action, projected onto the budget"
    source: ClassVar[str] = "thesis, equation 6.15 (Madry et al. 2018; momentum: Dong et al. 2018)"
    Options: ClassVar[type[PluginOptions]] = PgdOptions

    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """As the options say."""
        chosen = self.options
        rate = chosen.rate or REACH / chosen.steps
        return GradientAttacker("departure", chosen.steps, rate, chosen.restarts, chosen.momentum)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `pgd`."""
    return [Pgd]
