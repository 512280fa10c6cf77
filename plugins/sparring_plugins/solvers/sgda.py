"""Simultaneous gradient descent ascent."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, StepInfo
from sparring.plugin import PluginOptions
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeOptions, IterativeSolver, Play
from sparring_plugins.solvers._rates import Decay, rate_at


class DescentOptions(IterativeOptions):
    """Options of the single-timescale gradient methods."""

    rate: float = Field(0.1, gt=0, description="the step size of both")
    decay: Decay = Field("none", description="how the step size falls: `none`, or `sqrt` for rate / sqrt(t + 1)")


class Sgda(IterativeSolver):
    """Both take a gradient step of the same size against the other as it was before."""

    name: ClassVar[str] = "sgda"
    summary: ClassVar[str] = "simultaneous gradient descent ascent, one timescale"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, appendix C (SGDA)"
    Options: ClassVar[type[PluginOptions]] = DescentOptions

    def weight(self, iteration: int) -> float:
        """The step size."""
        return rate_at(self.options.rate, self.options.decay, iteration)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """`y' = P(y - eta grad(x)), x' = P(x + eta grad(y))`."""
        rate, before = self.weight(iteration), duel.freeze(play.attacker)
        attacker, spent = duel.step(play.attacker, duel.freeze(play.victim), rate, rng)
        victim, info = duel.step(play.victim, before, rate, rng)
        return Play(victim, attacker), StepInfo(info.steps + spent.steps, info.gradient_norm)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `sgda`."""
    return [Sgda]
