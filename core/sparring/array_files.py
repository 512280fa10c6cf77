"""Arrays on disk: npz files without pickle, and the learners that are kept in them."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.attack_game import LearnerState, Side
from sparring.errors import RequestError
from sparring.files import write_whole

__all__ = ["load_arrays", "read_npz", "save_arrays"]


def read_npz(path: Path) -> dict[str, NDArray[Any]]:
    """All arrays of an npz file by name; nothing in it is ever executed.

    Raises:
        RequestError: the file is missing, damaged, is no npz, or holds pickled objects.
    """
    try:
        # Opened here, since numpy leaves a file open when its archive is damaged.
        with path.open("rb") as stream:
            stored = np.load(stream, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise RequestError(f"{path}: one bare array, expected an npz file with named arrays")
            return {name: np.asarray(stored[name]) for name in stored.files}
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise RequestError(f"{path}: not an npz file of plain arrays (objects are refused)") from error


def save_arrays(state: LearnerState, arrays: Mapping[str, NDArray[np.float64]], path: Path) -> None:
    """Write a learner's arrays with its side, learner and count of updates."""
    with write_whole(path) as stream:
        header = {"side": state.side.value, "learner": state.learner, "updates": state.updates}
        everything: dict[str, Any] = {name: np.asarray(value) for name, value in header.items()} | dict(arrays)
        np.savez(stream, **everything)


def load_arrays(path: Path, names: tuple[str, ...]) -> tuple[LearnerState, dict[str, NDArray[np.float64]]]:
    """Read what `save_arrays` wrote.

    Returns:
        The learner without its parameters, and its arrays by name.

    Raises:
        RequestError: the file is missing or is not a learner's.
    """
    stored = read_npz(path)
    missing = [name for name in ("side", "learner", "updates", *names) if name not in stored]
    if missing:
        raise RequestError(f"{path}: no learner's file, it holds no {missing[0]!r}")
    state = LearnerState(Side(str(stored["side"])), None, int(stored["updates"]), str(stored["learner"]))
    return state, {name: stored[name] for name in names}
