"""Adversarial training with a min oracle."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side, StepInfo
from sparring.plugin import PluginOptions
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeOptions, IterativeSolver, Play
from sparring_plugins.solvers._rates import Decay, rate_at


class MinOracleOptions(IterativeOptions):
    """Options of `min-oracle`."""

    rate: float = Field(0.3, gt=0, description="the victim's step size")
    decay: Decay = Field("sqrt", description="how the step size falls: `none`, or `sqrt` for rate / sqrt(t + 1)")


class MinOracle(IterativeSolver):
    """The attacker answers with a best response, then the victim takes one gradient step against it."""

    name: ClassVar[str] = "min-oracle"
    summary: ClassVar[str] = "the attacker best-responds, the victim takes one gradient step"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, algorithm 1 (GAMin in appendix C)"
    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.RESPOND_ATTACKER, Operation.STEP_VICTIM})
    Options: ClassVar[type[PluginOptions]] = MinOracleOptions

    def weight(self, iteration: int) -> float:
        """The step size (algorithm 1, line 5)."""
        return rate_at(self.options.rate, self.options.decay, iteration)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """Lines 3 and 4."""
        attacker, answer = duel.respond(
            Side.ATTACKER, duel.freeze(play.victim), warm=play.attacker, effort=effort, rng=rng
        )
        victim, info = duel.step(play.victim, duel.freeze(attacker), self.weight(iteration), rng)
        return Play(victim, attacker), StepInfo(info.steps + answer.steps, info.gradient_norm)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `min-oracle`."""
    return [MinOracle]
