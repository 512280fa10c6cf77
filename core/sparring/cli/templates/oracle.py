"""Projected gradient descent on the victim's return, from several random starts."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions
from sparring.policy import Ability, Policy


class TemplateNameOracleOptions(PluginOptions):
    """Options of `template-name`."""

    steps: int = Field(50, ge=1, description="gradient steps from each start")
    rate: float = Field(0.5, gt=0, description="step size")
    restarts: int = Field(2, ge=1, description="random starts")


class TemplateNameOracle(Oracle):
    """Descends from each start and keeps the strongest attacker it passes.

    What an oracle returns is a proposal: the core deploys it within the budget and scores it.
    """

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "gradient descent on the victim's return from random starts"
    source: ClassVar[str] = ""  # the paper and algorithm that you follow
    interface: ClassVar[int] = 1
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Operation.STEP_ATTACKER})
    forms: ClassVar[frozenset[Form]] = frozenset(form for form in Form if form.exact)
    Options: ClassVar[type[PluginOptions]] = TemplateNameOracleOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """The strongest attacker of all starts, with the victim's return that it reaches."""
        runs = [self._descend(duel, victim, rng) for _ in range(self.options.restarts)]
        value, attacker = min(runs, key=lambda found: found[0])
        return Finding(attacker, claimed=value, steps=self.options.restarts * self.options.steps)

    def _descend(self, duel: AttackGame, victim: Policy, rng: np.random.Generator) -> tuple[float, Policy]:
        state = duel.start(Side.ATTACKER, seed=int(rng.integers(2**31)))
        attacker = duel.freeze(state)
        best = (float(duel.measure(victim, attacker, rng)), attacker)
        for _ in range(self.options.steps):
            state, _ = duel.step(state, victim, self.options.rate, rng)
            attacker = duel.freeze(state)
            value = float(duel.measure(victim, attacker, rng))
            if value < best[0]:
                best = (value, attacker)
        return best


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `template-name`."""
    return [TemplateNameOracle]
