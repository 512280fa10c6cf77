"""Simultaneous iterative best response."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side, StepInfo
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeSolver, Play


class BestResponseSolver(IterativeSolver):
    """What the two best-response methods share: both sides must have a response."""

    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.RESPOND_VICTIM, Operation.RESPOND_ATTACKER})


class Sibr(BestResponseSolver):
    """Both answer the other as it was before with a best response."""

    name: ClassVar[str] = "sibr"
    summary: ClassVar[str] = "simultaneous iterative best response, one timescale"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, appendix C (SIBR; its x takes arg max)"

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """`y' = arg min_y J(x, y), x' = arg max_x J(x, y)`."""
        before = duel.freeze(play.attacker)
        attacker, first = duel.respond(
            Side.ATTACKER, duel.freeze(play.victim), warm=play.attacker, effort=effort, rng=rng
        )
        victim, second = duel.respond(Side.VICTIM, before, warm=play.victim, effort=effort, rng=rng)
        return Play(victim, attacker), StepInfo(first.steps + second.steps)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `sibr`."""
    return [Sibr]
