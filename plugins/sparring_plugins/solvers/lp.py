"""The most robust victim by linear programme."""

from __future__ import annotations

import time
from typing import ClassVar

from sparring import hookimpl
from sparring.attack_game import AttackGame, Operation
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.solver import Answer, Run, Solver, TraceRow


class LinearProgramme(Solver):
    """Exact: max-min of a matrix, or of the sequence form under the budget's constraint, with HiGHS."""

    name: ClassVar[str] = "lp"
    summary: ClassVar[str] = "the exact optimum by linear programme (matrix and extensive-form games)"
    source: ClassVar[str] = "von Neumann 1928; von Stengel 1996 with x(I, a) >= (1 - eps) benign(a | I) x(parent)"
    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.OPTIMUM})
    finds_optimum: ClassVar[bool] = True
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.EXTENSIVE})

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Solve the programme; the trace has one row."""
        began = time.perf_counter()
        best = duel.optimum()
        if best is None:
            raise RefusedError(f"solver lp on {duel.game.spec}: {duel.can.why.get('optimum', 'no optimum is known')}")
        seconds = time.perf_counter() - began
        reached = duel.exploitability(best.policy).lower
        gap = reached - best.exploitability
        row = TraceRow(1, 1, seconds, reached, None, None, gap, None)
        if run.report is not None:
            run.report(row)
        return Answer(best.policy, "optimal", (row,), optimum=best)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `lp`."""
    return [LinearProgramme]
