"""What the commands share: reading budgets and writing documents."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from sparring.errors import RequestError
from sparring.files import write_text

__all__ = ["budget_lists", "shell_words", "write_document"]


def budget_lists(threats: Sequence[str], texts: Sequence[str]) -> list[list[float]]:
    """The budgets to evaluate at, each one list with a number for each threat.

    Raises:
        RequestError: not numbers, not one for each threat, or a comma list with several threats.
    """
    parsed = [[_number(part, text) for part in text.split(",")] for text in texts]
    if len(threats) == 1 and len(parsed) == 1:
        return [[value] for value in parsed[0]]
    if any(len(values) > 1 for values in parsed):
        raise RequestError("--budget: a comma list of budgets needs a single threat")
    if len(parsed) != len(threats):
        raise RequestError(f"--budget: {len(parsed)} budgets for {len(threats)} threats, give each threat one")
    return [[values[0] for values in parsed]]


def _number(part: str, text: str) -> float:
    try:
        return float(part)
    except ValueError:
        raise RequestError(f"--budget {text!r}: {part.strip()!r} is no number") from None


def write_document(target: str | None, document: object) -> None:
    """Write a JSON document to a file, or to standard output for `-`."""
    if target is None:
        return
    text = json.dumps(document, indent=2, allow_nan=False) + "\n"
    if target == "-":
        sys.stdout.write(text)
    else:
        write_text(Path(target), text)


def check_target(target: str | None, *, folder: bool = False) -> None:
    """Refuse, before any work is done, a place that cannot be written.

    Args:
        target: a file, or a folder that may be there already; `-` is standard output.
        folder: whether it is a folder.

    Raises:
        RequestError: the folder around it does not exist, or a folder has a file's name, or the other way round.
    """
    if target is not None and target != "-" and not Path(target).absolute().parent.is_dir():
        raise RequestError(f"cannot write {target}: its folder does not exist")
    if target is not None and target != "-" and not folder and Path(target).is_dir():
        raise RequestError(f"cannot write {target or 'to an empty name'}: it is a folder")
    if target is not None and folder and Path(target).is_file():
        raise RequestError(f"cannot write into {target}: it is a file")


def shell_words() -> str:
    """The command line as it was typed, for the document."""
    import shlex

    return shlex.join(["sparring", *sys.argv[1:]])
