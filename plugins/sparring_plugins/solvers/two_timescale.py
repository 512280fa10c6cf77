"""Adversarial training with two timescales."""

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


class TwoTimescaleOptions(IterativeOptions):
    """Options of `two-timescale`."""

    victim_rate: float = Field(0.01, gt=0, description="the victim's step size, far below the attacker's")
    attacker_rate: float = Field(1.0, gt=0, description="the attacker's step size")
    decay: Decay = Field("none", description="how both step sizes fall: `none`, or `sqrt` for rate / sqrt(t + 1)")


class TwoTimescale(IterativeSolver):
    """Both take one gradient step at a time, the attacker a far larger one."""

    name: ClassVar[str] = "two-timescale"
    summary: ClassVar[str] = "both take gradient steps, the attacker far larger ones"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, algorithm 2"
    Options: ClassVar[type[PluginOptions]] = TwoTimescaleOptions

    def weight(self, iteration: int) -> float:
        """The victim's step size (algorithm 2, line 5)."""
        return rate_at(self.options.victim_rate, self.options.decay, iteration)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """Lines 3 and 4: both against the other as it was before."""
        against_attacker, against_victim = duel.freeze(play.attacker), duel.freeze(play.victim)
        rate = rate_at(self.options.attacker_rate, self.options.decay, iteration)
        attacker, spent = duel.step(play.attacker, against_victim, rate, rng)
        victim, info = duel.step(play.victim, against_attacker, self.weight(iteration), rng)
        return Play(victim, attacker), StepInfo(info.steps + spent.steps, info.gradient_norm)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `two-timescale`."""
    return [TwoTimescale]
