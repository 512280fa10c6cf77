"""The training of an attacker in one file, from which it goes on bit for bit; the file is whole or absent."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sparring.errors import RequestError
from sparring.files import write_whole
from sparring_plugins.oracles._learning_progress import Progress, Tried
from sparring_plugins.oracles._learning_training import Training

__all__ = ["read_progress", "write_progress"]

STATES = ("state", "best")
FACTS = "facts.json"


def write_progress(path: Path, training: Training, progress: Progress) -> None:
    """Write both states and all scores.

    Raises:
        RequestError: it cannot be written.
    """
    facts = {"of": training.identity, "tried": [asdict(each) for each in progress.tried], "sought": progress.sought}
    with tempfile.TemporaryDirectory() as folder, write_whole(path) as stream, zipfile.ZipFile(stream, "w") as packed:
        for name in STATES:
            part = Path(folder) / name
            training.learner.save(getattr(progress, name), part)
            packed.write(part, name)
        packed.writestr(FACTS, json.dumps(facts))


def read_progress(path: Path, training: Training) -> Progress:
    """Read them again.

    Raises:
        RequestError: it is damaged, or of another training; the line says in what.
    """
    try:
        with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(path) as packed:
            facts = json.loads(packed.read(FACTS))
            _check(facts["of"], json.loads(json.dumps(training.identity)), path)
            for name in STATES:
                (Path(folder) / name).write_bytes(packed.read(name))
            state, best = (training.learner.load(Path(folder) / name) for name in STATES)
        tried = tuple(Tried(**{**each, "returns": tuple(each["returns"])}) for each in facts["tried"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        damage = f"{type(error).__name__}: {error}"
        raise RequestError(f"{path}: not a training of oracle {training.name}, or damaged ({damage})") from error
    return Progress(state, best, tried, int(facts["sought"]))


def _check(found: Mapping[str, Any], wanted: Mapping[str, Any], path: Path) -> None:
    changed = [name for name in wanted if found.get(name) != wanted[name]]
    if changed:
        raise RequestError(f"{path}: holds a training with another {', '.join(changed)}; choose another file")
