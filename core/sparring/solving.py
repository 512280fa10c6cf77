"""Solves attack games by solver name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from sparring.attack_game import AttackGame, Effort, Operation
from sparring.errors import RequestError
from sparring.registry import Registry, default_registry
from sparring.solver import Answer, Run, Solver, TraceRow

__all__ = ["make_solver", "solve"]


def solve(
    duel: AttackGame,
    solver: str | Solver = "min-oracle",
    *,
    iterations: int = 1000,
    seed: int = 0,
    trace_every: int | None = None,
    effort: Effort | None = None,
    score_effort: Effort | None = None,
    optimum: bool = True,
    folder: str | Path | None = None,
    report: Callable[[TraceRow], None] | None = None,
    registry: Registry | None = None,
) -> Answer:
    """Find a victim whose exploitability is low.

    Args:
        duel: the attack game, from `sparring.attack`.
        solver: a solver or its spec, such as `two-timescale(victim_rate=0.001)`.
        iterations: how many; exact solvers (`lp`, `shapley`) take none.
        seed: where all randomness starts.
        trace_every: iterations between rows of the trace; about a hundred rows if None.
        effort: how much work each trained response may take, on sampled forms.
        score_effort: how much work the scoring of each row of the trace may take, on sampled forms.
        optimum: whether to compute the least exploitability of any victim, where it is known, for the gap.
        folder: where checkpoints go; a run with the same folder goes on where it stopped.
        report: called with each row of the trace.
        registry: where plugins come from; the installed ones if None.

    Returns:
        The policy, which kind of policy it is, and the trace.

    Raises:
        RequestError: an unknown solver or option, or fewer than one iteration.
        RefusedError: this attack game cannot do something the solver needs.
    """
    if iterations < 1:
        raise RequestError(f"iterations {iterations}: expected a whole number from 1")
    chosen = make_solver(solver, registry)
    chosen.check_form(duel.game)
    for operation in (each for each in Operation if each in chosen.needs):  # in the order of the enumeration
        duel.require(operation, duel.can.offers(operation), f"solver {chosen.name}")
    best = duel.optimum() if optimum and duel.can.known_optimum and not chosen.finds_optimum else None
    place = None if folder is None else Path(folder)
    run = Run(iterations, seed, effort, score_effort, trace_every, best, report, place)
    answer = chosen.solve(duel, run)
    return answer if answer.optimum is not None else replace(answer, optimum=best)


def make_solver(solver: str | Solver, registry: Registry | None = None) -> Solver:
    """A solver from its spec.

    Raises:
        RequestError: there is none of that name.
    """
    known = default_registry() if registry is None else registry
    chosen = known.create("solver", solver) if isinstance(solver, str) else solver
    if not isinstance(chosen, Solver):
        raise RequestError(f"solver: {solver!r} is no solver")
    return chosen
