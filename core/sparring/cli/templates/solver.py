"""The attacker answers with a best response, and the victim takes a gradient step against it."""

from __future__ import annotations

import time
from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, LearnerState, Operation, Side
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.solver import Answer, Run, Solver, TraceRow
from sparring.streams import stream


class TemplateNameSolverOptions(PluginOptions):
    """Options of `template-name`."""

    rate: float = Field(0.2, gt=0, description="the victim's first step size; later ones fall as 1 / sqrt(t)")


class TemplateNameSolver(Solver):
    """Alternates the two and hands over the least exploitable victim of its trace.

    It uses nothing but the operations of an attack game, so it runs wherever they are: the core refuses
    attack games that lack one of `needs`.
    """

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "a best response of the attacker, then a gradient step of the victim"
    source: ClassVar[str] = ""  # the paper and algorithm that you follow
    interface: ClassVar[int] = 1
    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.RESPOND_ATTACKER, Operation.STEP_VICTIM})
    Options: ClassVar[type[PluginOptions]] = TemplateNameSolverOptions

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Iterate; every row of the trace is the exploitability of the victim of that moment."""
        victim, steps, seconds = duel.start(Side.VICTIM, run.seed), 0, 0.0
        rows: list[TraceRow] = []
        best = duel.freeze(victim)
        attacker: Policy | None = None
        for iteration in range(1, run.iterations + 1):
            began = time.perf_counter()
            victim, attacker, spent, norm = self._advance(duel, run, victim, iteration)
            steps, seconds = steps + spent, seconds + time.perf_counter() - began
            if iteration % run.stride == 0 or iteration == run.iterations:
                row = _row(duel, run, duel.freeze(victim), rows, (iteration, steps, seconds, norm))
                best = duel.freeze(victim) if row.last <= min((r.last for r in rows), default=row.last) else best
                rows.append(row)
                if run.report is not None:
                    run.report(row)
        return Answer(best, "best", tuple(rows), attacker=attacker, optimum=run.optimum)

    def _advance(
        self, duel: AttackGame, run: Run, victim: LearnerState, iteration: int
    ) -> tuple[LearnerState, Policy, int, float | None]:
        """One iteration: the new victim, the attacker, what both cost, and the gradient's norm."""
        rng = stream(run.seed, "iterate", iteration)
        answer, value = duel.respond(Side.ATTACKER, duel.freeze(victim), effort=run.effort, rng=rng)
        attacker = duel.freeze(answer)
        victim, info = duel.step(victim, attacker, self.options.rate / np.sqrt(iteration), rng)
        return victim, attacker, info.steps + value.steps, info.gradient_norm


def _row(
    duel: AttackGame, run: Run, victim: Policy, before: list[TraceRow], spent: tuple[int, int, float, float | None]
) -> TraceRow:
    iteration, steps, seconds, norm = spent
    last = duel.exploitability(victim, run.score_effort).lower
    mean = float(np.mean([*(row.last for row in before), last]))
    gap = None if run.optimum is None else last - run.optimum.exploitability
    return TraceRow(iteration, steps, seconds, last, None, mean, gap, norm)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `template-name`."""
    return [TemplateNameSolver]
