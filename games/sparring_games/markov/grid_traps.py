"""A grid world with traps in the manner of thesis figure 6.6."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.markov.game import MarkovGame

__all__ = ["grid_traps"]

LAYOUT = "S.../.T.T/..../T..G"
MOVES = ((-1, 0), (1, 0), (0, -1), (0, 1))
"""Up, down, left, right."""
Cell = tuple[int, int]


def grid_traps(layout: str = LAYOUT, gamma: float = 0.9) -> MarkovGame:
    """A walk from a start to a target between traps, whose cells look like the cells next to them.

    The default layout, rows parted by `/` in `layout`::

        S . . .
        . T . T
        . . . .
        T . . G

    `S` start, `G` target, `T` trap, `#` wall, `.` free. The actions are up, down, left and right; a move into
    the border or a wall leaves the agent where it is. Every step that ends on a trap costs 1, again and again:
    a trap does not end the game. The step that reaches a target earns 1 and the game stops there (an absorbing
    state without rewards). Neighbours are the four adjacent cells.

    Args:
        layout: rows of equal length, one start, at least one target.
        gamma: discount in [0, 1).

    Raises:
        RequestError: the layout is malformed, or `gamma` lies outside [0, 1).
    """
    cells = _cells(layout)
    names = list(cells)
    index = {cell: number for number, cell in enumerate(names)}
    states = len(names)
    transition, reward = np.zeros((states, len(MOVES), states)), np.zeros((states, len(MOVES), states))
    for cell, action, following in _steps(cells):
        here, there = index[cell], index[following]
        transition[here, action, there] = 1.0
        if cells[cell] != "G":
            reward[here, action, there] = {"T": -1.0, "G": 1.0}.get(cells[following], 0.0)
    start = np.array([cells[cell] == "S" for cell in names], dtype=np.float64)
    options = [f"layout={layout}"] if layout != LAYOUT else []
    options += [f"gamma={gamma!r}"] if gamma != 0.9 else []
    return MarkovGame.from_arrays(
        "markov:grid-traps" + (f"({', '.join(options)})" if options else ""),
        transition,
        reward,
        gamma=gamma,
        rho=start,
        neighbours=_adjacent(index),
        state_names=tuple(f"row {row + 1} column {column + 1}" for row, column in names),
    )


def _cells(layout: str) -> dict[Cell, str]:
    """What stands in each cell that is no wall, in reading order."""
    rows = layout.split("/")
    for number, row in enumerate(rows, start=1):
        if len(row) != len(rows[0]) or not row:
            raise RequestError(f"grid layout: row {number} has {len(row)} cells, row 1 has {len(rows[0])}")
        for column, symbol in enumerate(row, start=1):
            if symbol not in "SGT#.":
                raise RequestError(
                    f"grid layout: row {number}, column {column} is {symbol!r}; choose from: S (start), G (target), "
                    "T (trap), # (wall), . (free)"
                )
    if layout.count("S") != 1 or "G" not in layout:
        raise RequestError(
            f"grid layout: {layout.count('S')} starts (S) and {layout.count('G')} targets (G), expected one start "
            "and at least one target"
        )
    grid = {(i, j): symbol for i, row in enumerate(rows) for j, symbol in enumerate(row)}
    return {cell: symbol for cell, symbol in grid.items() if symbol != "#"}


def _steps(cells: dict[Cell, str]) -> Iterator[tuple[Cell, int, Cell]]:
    """Every cell and action with the cell that follows; a target keeps the agent."""
    for cell, symbol in cells.items():
        for action, (down, right) in enumerate(MOVES):
            beside = (cell[0] + down, cell[1] + right)
            yield cell, action, beside if beside in cells and symbol != "G" else cell


def _adjacent(index: dict[Cell, int]) -> NDArray[np.bool_]:
    adjacent = np.zeros((len(index), len(index)), dtype=np.bool_)
    for (row, column), here in index.items():
        for down, right in MOVES:
            there = index.get((row + down, column + right))
            if there is not None:
                adjacent[here, there] = True
    return adjacent
