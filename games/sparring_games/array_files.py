"""Named arrays from npz and JSON files, every problem one line."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from sparring.array_files import read_npz
from sparring.errors import RequestError

__all__ = ["as_numbers", "parse_json", "read_arrays", "read_text"]


def read_arrays(path: Path, lists: Collection[str] = ()) -> dict[str, Any]:
    """Read the arrays of an npz file or of a JSON object.

    Args:
        path: ends in `.npz` or `.json`.
        lists: keys whose values are lists of words, not numbers.

    Returns:
        Float arrays by key, and lists of words.

    Raises:
        RequestError: missing, unreadable, of another kind, or with entries that are not numbers.
    """
    if path.suffix.lower() not in (".npz", ".json"):
        raise RequestError(f"{path}: a file of arrays ends in .npz or .json")
    if path.suffix.lower() == ".npz":
        found = read_npz(path)
    else:
        found = parse_json(path)
        if not isinstance(found, dict):
            raise RequestError(f"{path}: the JSON is a {type(found).__name__}, expected an object with named arrays")
    return {
        key: _words(value, f"{path}: {key}") if key in lists else as_numbers(value, f"{path}: {key}")
        for key, value in found.items()
    }


def _words(value: object, where: str) -> list[str]:
    array = np.asarray(value, dtype=object) if isinstance(value, list) else np.asarray(value)
    if array.ndim != 1 or not all(isinstance(word, str) for word in array.tolist()):
        raise RequestError(f"{where}: expected a list of words")
    return [str(word) for word in array]


def as_numbers(value: object, where: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Turn nested lists, or an array of numbers or truth values, into floats.

    Raises:
        RequestError: rows of different lengths, or something that is no number.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise RequestError(f"{where}: rows have different lengths, expected an array of numbers") from error
    if array.dtype.kind not in "biuf" or array.size == 0:
        what = "nothing" if array.size == 0 else f"entries such as {array.ravel()[0]!r}"
        raise RequestError(f"{where}: holds {what}, expected an array of numbers")
    return array.astype(np.float64)


def read_text(path: Path) -> str:
    """Read a text file in UTF-8.

    Raises:
        RequestError: it is missing, cannot be read or is no text.
    """
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise RequestError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RequestError(f"cannot read {path}: it is no text in UTF-8 (byte {error.start})") from error


def parse_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        RequestError: it cannot be read or is not JSON; names line and column.
    """
    try:
        return json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise RequestError(f"{path}: no JSON, line {error.lineno} column {error.colno}: {error.msg}") from error
    except RecursionError as error:
        raise RequestError(f"{path}: the JSON is nested too deeply") from error
