"""Matrix games from files of payoffs: npz, JSON and CSV."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, nearest
from sparring.matrix.game import MatrixGame
from sparring_games.array_files import as_numbers, parse_json, read_arrays, read_text

__all__ = ["payoffs_from_file"]

Floats = NDArray[np.float64]
KEYS = ("payoff", "payoff1")


def payoffs_from_file(path: str | Path) -> MatrixGame:
    """Read a matrix game.

    A single matrix is player 0's payoff, its actions in the rows, and player 1 gets the negative. Two matrices
    of the same shape are the payoffs of players 0 and 1, both with player 0's actions in the rows.

    - `.npz`: an array `payoff` [A0, A1] or [2, A0, A1]; or `payoff` and `payoff1`, both [A0, A1].
    - `.json`: the same keys in an object, or the nested lists of `payoff` alone.
    - `.csv`: numbers parted by commas, without headings; an empty line parts two matrices.

    Raises:
        RequestError: the file is missing or unreadable, an entry is not a finite number (a CSV cell is named by
            its line and column), or a shape is wrong.
    """
    place = Path(path)
    spec = f"matrix:{place}"
    suffix = place.suffix.lower()
    if suffix == ".csv":
        payoffs = _from_csv(spec, place)
    elif suffix == ".json" and isinstance(found := parse_json(place), list):
        payoffs = [as_numbers(found, spec)]
    elif suffix in (".npz", ".json"):
        payoffs = _from_keys(spec, read_arrays(place))
    else:
        raise RequestError(f"{spec}: a file of payoffs ends in .npz, .json or .csv")
    return MatrixGame(spec, _both(spec, payoffs))


def _from_keys(spec: str, data: dict[str, Floats]) -> list[Floats]:
    for key in data:
        if key not in KEYS:
            raise RequestError(f"{spec}: unknown key {key!r}; {nearest(key, KEYS)}")
    if "payoff" not in data:
        raise RequestError(f"{spec}: key 'payoff' is missing")
    return [data[key] for key in KEYS if key in data]


def _both(spec: str, payoffs: list[Floats]) -> Floats:
    """The payoffs of both players, [2, A0, A1]."""
    shapes = [list(payoff.shape) for payoff in payoffs]
    if len(payoffs) == 1 and payoffs[0].ndim == 3 and len(payoffs[0]) == 2:
        return payoffs[0]
    if any(payoff.ndim != 2 for payoff in payoffs):
        raise RequestError(f"{spec}: payoffs of shape {', '.join(map(str, shapes))}, expected [A0, A1] or [2, A0, A1]")
    if len(payoffs) == 2 and shapes[0] != shapes[1]:
        raise RequestError(f"{spec}: payoffs of shapes {shapes[0]} and {shapes[1]}, expected the same shape twice")
    return np.stack([payoffs[0], payoffs[1] if len(payoffs) == 2 else -payoffs[0]])


def _from_csv(spec: str, path: Path) -> list[Floats]:
    """One matrix, or two with an empty line between them."""
    blocks: list[list[list[float]]] = [[]]
    reader = csv.reader(read_text(path).splitlines())
    for cells in reader:
        if not any(cell.strip() for cell in cells) and len(cells) < 2:
            if blocks[-1]:
                blocks.append([])
            continue
        row = [_number(spec, reader.line_num, column, cell) for column, cell in enumerate(cells, start=1)]
        if blocks[-1] and len(row) != len(blocks[-1][0]):
            expected = len(blocks[-1][0])
            raise RequestError(f"{spec}: line {reader.line_num} has {len(row)} cells, expected {expected}")
        blocks[-1].append(row)
    filled = [np.array(block) for block in blocks if block]
    if len(filled) not in (1, 2):
        raise RequestError(f"{spec}: {len(filled)} matrices, expected one, or two with an empty line between them")
    return filled


def _number(spec: str, line: int, column: int, cell: str) -> float:
    try:
        value = float(cell)
    except ValueError as error:
        raise RequestError(f"{spec}: line {line}, column {column} is {cell.strip()!r}, expected a number") from error
    if not np.isfinite(value):
        raise RequestError(f"{spec}: line {line}, column {column} is {cell.strip()}, expected a finite number")
    return value
