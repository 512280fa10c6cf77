"""Alternating gradient descent ascent."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, StepInfo
from sparring.plugin import PluginOptions
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeSolver, Play
from sparring_plugins.solvers._rates import rate_at
from sparring_plugins.solvers.sgda import DescentOptions


class Agda(IterativeSolver):
    """The attacker takes a gradient step, then the victim one of the same size against the new attacker."""

    name: ClassVar[str] = "agda"
    summary: ClassVar[str] = "alternating gradient descent ascent, one timescale"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, appendix C (AGDA)"
    Options: ClassVar[type[PluginOptions]] = DescentOptions

    def weight(self, iteration: int) -> float:
        """The step size."""
        return rate_at(self.options.rate, self.options.decay, iteration)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """`y' = P(y - eta grad(x)), x' = P(x + eta grad(y'))`."""
        rate = self.weight(iteration)
        attacker, spent = duel.step(play.attacker, duel.freeze(play.victim), rate, rng)
        victim, info = duel.step(play.victim, duel.freeze(attacker), rate, rng)
        return Play(victim, attacker), StepInfo(info.steps + spent.steps, info.gradient_norm)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `agda`."""
    return [Agda]
