"""The most robust victim of a Markov game by Shapley's iteration."""

from __future__ import annotations

import time
from typing import ClassVar

from sparring import hookimpl
from sparring.attack_game import AttackGame, Operation, Optimum
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.markov.attack_game import MarkovAttackGame
from sparring.solver import Answer, Run, Solver, TraceRow


class Shapley(Solver):
    """Exact: value iteration over matrix games, on the Markov game that the budget makes (lemma D.1)."""

    name: ClassVar[str] = "shapley"
    summary: ClassVar[str] = "the exact optimum by Shapley's iteration (tabular Markov games)"
    source: ClassVar[str] = "Shapley 1953; Liu et al., Rethinking Adversarial Policies, lemma D.1"
    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.OPTIMUM})
    finds_optimum: ClassVar[bool] = True
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Iterate to convergence; the trace has one row."""
        from sparring.markov.shapley import shapley

        if not isinstance(duel, MarkovAttackGame) or not duel.can.known_optimum:
            raise RefusedError(f"solver shapley on {duel.game.spec}: {duel.can.why.get('optimum', 'no Markov game')}")
        began = time.perf_counter()
        solution = shapley(duel)
        seconds = time.perf_counter() - began
        reached = duel.exploitability(solution.victim).lower
        row = TraceRow(solution.iterations, solution.iterations, seconds, reached, None, None,
                       reached + solution.value, None)  # fmt: skip
        if run.report is not None:
            run.report(row)
        best = Optimum(-solution.value, solution.victim, "shapley")
        return Answer(solution.victim, "optimal", (row,), attacker=solution.attacker, optimum=best)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `shapley`."""
    return [Shapley]
