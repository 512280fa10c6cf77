"""Solvers: they look for robust victims in the kit's attack games."""

from __future__ import annotations

import contextlib
import math
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from sparring.attack_game import AttackGame, Side
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.policy import Policy
from sparring.solver import Answer, Solver, TraceRow
from sparring.solving import solve
from sparring.testing.arena import Stage, offering, stages
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.check import CheckSkipped
from sparring.testing.operations import watched_operations
from sparring.testing.sampled_arena import EFFORT

__all__ = [
    "SolverBench",
    "answer_complete",
    "improves_on_its_start",
    "resumes_exactly",
    "trace_is_true",
    "uses_what_it_needs",
]

ITERATIONS, LEARNING = 40, 4
"""Of a solver on exact forms, and where learners are trained."""
TOLERANCE = 1e-8
KINDS = ("last", "averaged", "best", "drawn", "optimal")


@dataclass(frozen=True, eq=False)
class SolverBench(Bench):
    """Lets one solver solve."""

    def settings(self) -> list[Setting]:
        """Every attack game of the kit on the claimed forms that offers what it needs."""
        return [Setting(stage.label, stage.form, partial(self._run, stage)) for stage in self.stages()]

    def stages(self) -> list[Stage]:
        """The attack games that offer all that it needs; the core refuses it on the others."""
        every = [stage for form in self.subject.exact_forms for stage in stages(form)]
        learning = stages(Form.SIMULATED)[:5:4] if self.subject.simulated else []  # two, since training takes time
        return offering([*every, *learning], self.solver.needs)

    @property
    def solver(self) -> Solver:
        """An instance."""
        solver = self.subject.make()
        assert isinstance(solver, Solver)
        return solver

    def solve(self, duel: AttackGame, part: int = 1, seed: int = 0, **more: Any) -> Answer:
        """Solve with the chosen options, for the kit's iterations over `part`; learners get few."""
        sampled = not duel.game.form.exact
        iterations = max(1, (LEARNING if sampled else ITERATIONS) // part)
        if sampled:
            more = {"effort": EFFORT, "score_effort": EFFORT, "trace_every": 2, **more}
        return solve(duel, self.solver, iterations=iterations, seed=seed, registry=self.subject.registry, **more)

    def _run(self, stage: Stage, seed: int) -> Done:
        duel = stage.make()
        inputs = Inputs(game=duel.game)
        reported: list[TraceRow] = []
        answer = self.solve(duel, seed=seed, report=reported.append)
        policy: Any = answer.policy
        held = (Held(policy, Side.VICTIM, duel),) if isinstance(policy, Policy) else ()
        result = (policy.to_document() if held else policy, answer.kind, list(_timeless(answer)))
        return Done(result, inputs, held, (answer, duel, tuple(reported)))


def _timeless(answer: Answer) -> Iterator[dict[str, object]]:
    """The trace without the seconds, which differ from run to run."""
    for row in answer.trace:
        yield {name: value for name, value in asdict(row).items() if name != "seconds"}


def uses_what_it_needs(bench: SolverBench) -> None:
    """It uses no operation of the attack game that it does not declare in `needs`, by which the core refuses others."""
    needs = bench.solver.needs
    for stage in bench.stages():
        duel = stage.make()
        used = watched_operations(duel)
        with contextlib.suppress(RefusedError):  # whether it may decline is the business of another check
            bench.solve(duel, ITERATIONS, optimum=False)
        beyond = {str(need) for need in used.operations - needs}
        if beyond:
            declared = ", ".join(sorted(needs)) or "nothing"
            raise bench.subject.failure(
                f"it uses {', '.join(sorted(beyond))}, and declares that it needs {declared}",
                "name every operation that it uses in `needs` (sparring.attack_game.Operation)",
                stage.label,
            )


def answer_complete(bench: SolverBench) -> None:
    """An answer holds a policy, says which sort of policy it is, and has a trace that was reported as it grew."""
    for setting, done in bench.performed:
        answer, _, reported = done.raw
        if not isinstance(answer.policy, Policy) or answer.kind not in KINDS:
            cause = f"it hands over {answer.policy!r} as {answer.kind!r}"
        elif not answer.trace:
            cause = "its trace is empty"
        elif reported != answer.trace:
            cause = f"it reported {len(reported)} rows while it ran, its trace has {len(answer.trace)}, not the same"
        else:
            continue
        remedy = f"return sparring.solver.Answer with a kind of {', '.join(KINDS)}, and call run.report with each row"
        raise bench.subject.failure(cause, remedy, setting.label)


def improves_on_its_start(bench: SolverBench) -> None:
    """On the whole its victims are less exploitable than the drawn ones that solvers start from."""
    started, reached = [], []
    for _, done in bench.performed:
        answer, duel, _ = done.raw
        if not duel.can.exact_value:  # a few updates of a learner, seen through noise, say nothing
            continue
        started.append(duel.exploitability(duel.freeze(duel.start(Side.VICTIM, 0))).lower)
        reached.append(_exploitability(duel, answer.policy))
    if not started:
        raise CheckSkipped("values of its forms are sampled, and a few updates seen through noise say nothing")
    if sum(reached) >= sum(started):
        raise bench.subject.failure(
            f"over {len(reached)} attack games and {ITERATIONS} iterations each the exploitability goes from "
            f"{sum(started) / len(started):.6g} to {sum(reached) / len(reached):.6g} on average",
            "look at the direction of the victim's steps; if it is meant so, declare the failure with the reason",
        )


def trace_is_true(bench: SolverBench) -> None:
    """The trace is finite and in order, its gap is the distance to the optimum, and its end is what is handed over."""
    for setting, done in bench.performed:
        answer, duel, _ = done.raw
        fault = _out_of_order(answer.trace) or _untrue(answer, duel)
        if fault:
            raise bench.subject.failure(fault, "put into each row what is so at that moment", setting.label)


def _out_of_order(trace: tuple[TraceRow, ...]) -> str:
    for before, row in zip([None, *trace], trace, strict=False):
        numbers = [value for value in asdict(row).values() if value is not None]
        if not all(math.isfinite(value) for value in numbers):
            return f"the trace has numbers that are not finite at iteration {row.iteration}"
        if before is not None and row.iteration <= before.iteration:
            return f"iteration {row.iteration} comes after iteration {before.iteration}"
        if before is not None and (row.steps < before.steps or row.seconds < before.seconds):
            return f"steps or seconds fall at iteration {row.iteration}"
    return ""


def _untrue(answer: Answer, duel: AttackGame) -> str:
    """What the trace says that is not so; compared with exploitabilities computed anew, where they are computed."""
    if not duel.can.exact_value:
        return ""
    best = duel.optimum() if duel.can.known_optimum else None
    for row in answer.trace:
        least = -math.inf if best is None else best.exploitability
        told = [value for value in (row.last, row.averaged) if value is not None]
        if min(told) < least - TOLERANCE:
            return f"iteration {row.iteration} has exploitability {min(told):.9g}, the optimum is {least:.9g}"
        if row.gap is not None and (best is None or abs(row.gap - (row.last - least)) > 1e-6):
            return f"iteration {row.iteration} has the gap {row.gap:.9g}, it is {row.last - least:.9g}"
    end = answer.trace[-1]
    recorded = {
        "last": end.last,
        "optimal": end.last,
        "averaged": end.averaged,
        "best": min(row.last for row in answer.trace),
    }.get(answer.kind)
    reached = _exploitability(duel, answer.policy)
    if recorded is not None and abs(reached - recorded) > TOLERANCE * max(1.0, abs(reached)):
        return f"the {answer.kind} policy has exploitability {reached:.9g}, the trace says {recorded:.9g}"
    if answer.kind == "optimal" and best is not None and reached > best.exploitability + 1e-6:
        return f"the optimal policy has exploitability {reached:.9g}, the optimum is {best.exploitability:.9g}"
    return ""


def _exploitability(duel: AttackGame, victim: Policy) -> float:
    """Of a single policy; of a mixture, the end that is surely not exceeded."""
    found = duel.exploitability(victim)
    return found.lower if found.upper is None else found.upper


def resumes_exactly(bench: SolverBench) -> None:
    """A run that goes on in the folder of a shorter one ends where one without a break ends."""
    stage = {setting.label: stage for setting, stage in zip(bench.settings(), bench.stages(), strict=True)}
    seen = set()
    for setting, _ in bench.performed:
        if setting.form in seen:
            continue
        seen.add(setting.form)
        duel = stage[setting.label].make()
        every = 5 if setting.form is not None and setting.form.exact else 1
        whole = bench.solve(duel, 2, trace_every=every)
        with tempfile.TemporaryDirectory() as folder:
            bench.solve(duel, 4, trace_every=every, folder=Path(folder))
            again = bench.solve(duel, 2, trace_every=every, folder=Path(folder))
        same = again.policy.to_document() == whole.policy.to_document() and list(_timeless(again)) == list(
            _timeless(whole)
        )
        if not same:
            raise bench.subject.failure(
                "a run that was resumed ends elsewhere than one without a break",
                "save and load all that the next iteration needs in run.folder, or ignore run.folder",
                setting.label,
            )
