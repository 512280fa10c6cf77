"""Attackers drawn at random: the yardstick that every other oracle must beat."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Side
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.simulated.attackers import RandomAttacker


class RandomOptions(PluginOptions):
    """Options of `random`."""

    draws: int = Field(
        1, ge=1, description="how many attackers to draw; the strongest is kept", json_schema_extra=unit("attackers")
    )
    noise: Literal["uniform", "sign"] = Field(
        "uniform", description="simulated games: noise all over the ball, or at its corners; drawn anew at every step"
    )


class Random(Oracle):
    """Draws attackers and keeps the strongest; one draw is an attack that does not look at the victim."""

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "the strongest of some random attackers"
    forms: ClassVar[frozenset[Form]] = frozenset(form for form in Form if form.exact) | {Form.SIMULATED}
    Options: ClassVar[type[PluginOptions]] = RandomOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """The strongest of `draws` attackers; on simulated games noise, which there is nothing to choose from."""
        if duel.game.form is Form.SIMULATED:
            return Finding(RandomAttacker(self.options.noise))
        drawn = [duel.draw(Side.ATTACKER, rng) for _ in range(self.options.draws)]
        values = [float(duel.measure(victim, attacker, rng)) for attacker in drawn]
        best = int(np.argmin(values))
        return Finding(drawn[best], claimed=values[best], steps=len(drawn))


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `random`."""
    return [Random]
