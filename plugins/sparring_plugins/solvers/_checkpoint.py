"""Checkpoints of iterative solvers: a folder for each, complete once its `loop.json` is there."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import AttackGame, Side
from sparring.errors import RequestError
from sparring.files import write_text
from sparring.policy import Policy
from sparring.solver import Run, Solver, TraceRow
from sparring_plugins.solvers._progress import Progress

if TYPE_CHECKING:
    from sparring_plugins.solvers._loop import IterativeSolver

__all__ = ["check_identity", "identity", "load_checkpoint", "save_checkpoint"]

PREFIX = "checkpoint-"


def save_checkpoint(duel: AttackGame, solver: IterativeSolver, run: Run, progress: Progress) -> None:
    """Write a new checkpoint folder, then remove the older ones."""
    assert run.folder is not None
    folder = run.folder / f"{PREFIX}{progress.iteration:09d}"
    folder.mkdir(parents=True, exist_ok=True)
    duel.save_state(progress.play.victim, folder / "victim.npz")
    duel.save_state(progress.play.attacker, folder / "attacker.npz")
    memory = {name: [_document(policy) for policy in kept] for name, kept in progress.play.memory.items()}
    document = {
        "of": identity(duel, solver, run),
        "iteration": progress.iteration,
        "steps": progress.steps,
        "seconds": progress.seconds,
        "gradient_norm": progress.gradient_norm,
        "total_weight": progress.total_weight,
        "averaged": _document(progress.averaged),
        "drawn": _document(progress.drawn),
        "best": _document(progress.best),
        "memory": memory,
        "trace": [asdict(row) for row in progress.trace],
    }
    write_text(folder / "loop.json", json.dumps(document))
    for older in run.folder.glob(f"{PREFIX}*"):
        if older != folder:
            shutil.rmtree(older)


def load_checkpoint(duel: AttackGame, solver: IterativeSolver, run: Run) -> Progress | None:
    """Read the newest complete checkpoint of the folder, or None if there is none.

    Raises:
        RequestError: the folder holds another run, or a checkpoint that is damaged.
    """
    assert run.folder is not None
    complete = sorted(run.folder.glob(f"{PREFIX}*/loop.json"))
    if not complete:
        return None
    folder = complete[-1].parent
    try:
        document: dict[str, Any] = json.loads(complete[-1].read_text(encoding="utf-8"))
        return _restored(duel, solver, run, folder, document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        damage = f"{type(error).__name__}: {error}"
        raise RequestError(f"checkpoint {folder} is damaged ({damage}); remove it or choose a new folder") from error


def _restored(duel: AttackGame, solver: IterativeSolver, run: Run, folder: Path, document: dict[str, Any]) -> Progress:
    """Make the progress again from a checkpoint's document and learners."""
    from sparring_plugins.solvers._loop import Play

    assert run.folder is not None
    check_identity(document["of"], identity(duel, solver, run), run.folder)
    victim, attacker = duel.load_state(folder / "victim.npz"), duel.load_state(folder / "attacker.npz")
    memory = {
        name: tuple(duel.restore(policy, _side(name)) for policy in kept) for name, kept in document["memory"].items()
    }
    plain = {name: document[name] for name in ("iteration", "steps", "seconds", "gradient_norm", "total_weight")}
    return Progress(
        play=Play(victim, attacker, memory),
        averaged=_policy(duel, document["averaged"]),
        drawn=_policy(duel, document["drawn"]),
        best=_policy(duel, document["best"]),
        trace=tuple(TraceRow(**row) for row in document["trace"]),
        **plain,
    )


def identity(duel: AttackGame, solver: Solver, run: Run) -> dict[str, Any]:
    """What must be the same for a run to go on; the number of iterations may grow."""
    return {
        "game": duel.game.spec,
        "seat": duel.victim_player,
        "threats": [[part.threat, dict(part.options), part.budget.value, _benign(part)] for part in duel.charged],
        "solver": [solver.name, solver.options.model_dump()],
        "seed": run.seed,
    }


def check_identity(found: dict[str, Any], wanted: dict[str, Any], folder: Path) -> None:
    """Refuse to go on with another run than the one that was asked for.

    Raises:
        RequestError: they differ; the line names in what.
    """
    expected = json.loads(json.dumps(wanted))
    changed = sorted(key for key in expected if found.get(key) != expected[key])
    if changed:
        raise RequestError(f"run folder {folder}: holds a run with another {', '.join(changed)}; choose a new one")


def _benign(part: ChargedAccess) -> str | None:
    """A fingerprint of the benign policy; its spec alone does not tell two arrays or two states of a file apart."""
    policy = part.access.benign if isinstance(part.access, OpponentAccess) else None
    if policy is None:
        return None
    return hashlib.blake2b(json.dumps(policy.to_document(), sort_keys=True).encode(), digest_size=8).hexdigest()


def _side(name: str) -> Side:
    return Side.VICTIM if name.startswith("victim") else Side.ATTACKER


def _document(policy: Policy | None) -> dict[str, Any] | None:
    return None if policy is None else policy.to_document()


def _policy(duel: AttackGame, document: dict[str, Any] | None) -> Policy | None:
    return None if document is None else duel.restore(document, Side.VICTIM)
