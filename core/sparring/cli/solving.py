"""`sparring solve`."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from sparring.access import ChargedAccess
from sparring.attack_game import AttackGame, Effort
from sparring.attacking import attack
from sparring.cli.asking import budget_lists, check_target, shell_words, write_document
from sparring.cli.progress import progress_bar
from sparring.cli.tables import show, trace_table
from sparring.document import Provenance
from sparring.errors import RequestError
from sparring.exploitability import Interval
from sparring.files import write_text
from sparring.provenance import Clock, record_plugins
from sparring.recording import threat_record
from sparring.registry import default_registry
from sparring.solver import Answer, TraceRow
from sparring.solving import make_solver, solve
from sparring.taking_part import noted

__all__ = ["Request", "command"]

SCHEMA = "sparring.solution/1"


@dataclass(frozen=True)
class Request:
    """What was asked for on the command line."""

    game: str
    solver: str
    threats: tuple[str, ...]
    budgets: tuple[str, ...]
    victim_player: int | None
    benign: str | None
    iterations: int
    seed: int
    optimum: bool
    out: Path | None
    json: str | None
    effort: int | None = None
    """Simulator steps of each trained response."""


def command(request: Request) -> None:
    """Solve, show the trace, and write policy, trace and document."""
    check_target(request.json)
    clock, budgets = Clock(), budget_lists(request.threats, request.budgets)
    if len(budgets) != 1:
        raise RequestError("--budget: solve takes one budget for each threat; call it once for each")
    solver = make_solver(request.solver)
    duel = attack(
        request.game, list(request.threats), budgets[0], victim_player=request.victim_player, benign=request.benign
    )
    if request.out is not None:
        _make_folder(request.out)
    with noted() as present, progress_bar(request.iterations, "solving") as advance:
        answer = solve(
            duel,
            solver,
            iterations=request.iterations,
            seed=request.seed,
            effort=None if request.effort is None else Effort(steps=request.effort),
            optimum=request.optimum,
            folder=request.out,
            report=lambda row: advance(row.iteration, f"solving, exploitability {row.last:.4g}"),
        )
        reached = duel.exploitability(answer.policy)
    present |= {("game", duel.game.family)} if duel.game.family is not None else set()
    present |= {("solver", solver.name), *(("threat-model", _announced(part)) for part in duel.charged)}
    provenance = clock.provenance(record_plugins(default_registry(), present), request.seed, shell_words())
    document = _document(request, duel, answer, reached, provenance)
    if request.out is not None:
        _write_run(request.out, duel, answer, document)
    show(trace_table(answer.trace), aside=request.json == "-")
    write_document(request.json, document)
    if answer.interrupted:
        raise KeyboardInterrupt


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"--out {folder}: {error.strerror}") from error


def _announced(part: ChargedAccess) -> str:
    return part.announced or f"python:{part.threat}"


def _document(
    request: Request, duel: AttackGame, answer: Answer, reached: Interval, provenance: Provenance
) -> dict[str, Any]:
    """What was solved, how, and what came out of it."""
    best = answer.optimum
    return {
        "schema": SCHEMA,
        "game": {"spec": duel.game.spec, "form": duel.game.form.value, "players": duel.game.players},
        "threat": threat_record(duel).model_dump(mode="json"),
        "budget": duel.charged[0].budget.value if len(duel.charged) == 1 else None,
        "victim_player": duel.victim_player,
        "benign": request.benign,
        "solver": request.solver,
        "iterations": answer.trace[-1].iteration,
        "interrupted": answer.interrupted,
        "policy": {"kind": answer.kind},
        "exploitability": {"lower": reached.lower, "upper": reached.upper, "exact": reached.exact},
        "optimum": None if best is None else {"exploitability": best.exploitability, "method": best.method},
        "gap": None if best is None else reached.lower - best.exploitability,
        "trace": [asdict(row) for row in answer.trace],
        "provenance": provenance.model_dump(mode="json"),
    }


def _write_run(folder: Path, duel: AttackGame, answer: Answer, document: dict[str, Any]) -> None:
    """`policy.json` (loaded again by `run:FOLDER`), `trace.csv` and `solution.json`."""
    policy = {"schema": "sparring.policy/1", "game": duel.game.spec, **answer.policy.to_document()}
    write_text(folder / "policy.json", json.dumps(policy) + "\n")
    table = io.StringIO()
    writer = csv.DictWriter(table, [field.name for field in fields(TraceRow)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(row) for row in answer.trace)
    write_text(folder / "trace.csv", table.getvalue())
    write_text(folder / "solution.json", json.dumps(document, indent=2) + "\n")
