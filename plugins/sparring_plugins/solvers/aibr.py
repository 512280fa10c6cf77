"""Alternating iterative best response."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Side, StepInfo
from sparring.solver import Solver
from sparring_plugins.solvers._loop import Play
from sparring_plugins.solvers.sibr import BestResponseSolver


class Aibr(BestResponseSolver):
    """The attacker answers with a best response, then the victim answers that one."""

    name: ClassVar[str] = "aibr"
    summary: ClassVar[str] = "alternating iterative best response, one timescale"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, appendix C (AIBR; its x takes arg max)"

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """`y' = arg min_y J(x, y), x' = arg max_x J(x, y')`."""
        attacker, first = duel.respond(
            Side.ATTACKER, duel.freeze(play.victim), warm=play.attacker, effort=effort, rng=rng
        )
        victim, second = duel.respond(Side.VICTIM, duel.freeze(attacker), warm=play.victim, effort=effort, rng=rng)
        return Play(victim, attacker), StepInfo(first.steps + second.steps)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `aibr`."""
    return [Aibr]
