"""Many small zero-sum matrix games at once, solved exactly in compiled code.

Each is first searched for a saddle point of pure strategies. Where there is none, the payoffs are moved and
scaled into [1, 2] and the column player's programme `max sum(q)` with `payoff q <= 1` (Dantzig 1951) is solved
on a dense tableau; the row player's strategy is read from its multipliers. The last tableau is made afresh from
its basis and repaired until it needs no pivot, so that rounding does not pile up: stage games of nearly equal rows
are common where values have almost converged.
"""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["solve_stage", "solve_stages"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

REDUCED = 1e-14
"""A column enters while its reduced cost is below minus this; payoffs are scaled to [1, 2]."""
PIVOT = 1e-11
"""Entries up to this do not serve as pivots."""
ROUNDS = 10
"""Times that a tableau is made afresh from its basis and improved again."""
CERTIFIED = 1e-9
"""The two strategies must agree on the value to this, relative to the spread of the payoffs."""


def solve_stage(payoff: Floats) -> tuple[float, Floats, Floats]:
    """Solve one zero-sum matrix game.

    Args:
        payoff: the row player's payoff, [A, B].

    Returns:
        The value, the row player's max-min strategy [A] and the column player's min-max strategy [B].

    Raises:
        ArithmeticError: the payoffs are not finite, or the strategies do not certify each other.
    """
    table = np.asarray(payoff, dtype=np.float64)[None]
    values, rows, columns = solve_stages(table, np.ones((1, table.shape[2]), dtype=np.bool_))
    return float(values[0]), rows[0], columns[0]


def solve_stages(payoff: Floats, legal: Bools) -> tuple[Floats, Floats, Floats]:
    """Solve many zero-sum matrix games of the same shape.

    Args:
        payoff: the row player's payoffs, [n, A, B].
        legal: columns that each game has, [n, B]; at least one in each.

    Returns:
        values [n], which the row strategies really secure, row strategies [n, A] and column strategies [n, B].

    Raises:
        ArithmeticError: payoffs are not finite, or two strategies do not certify each other's value.
    """
    if not np.isfinite(payoff).all():
        raise ArithmeticError("a stage game has payoffs that are not finite")
    values, gaps, rows, columns = _solve_all(np.ascontiguousarray(payoff), np.ascontiguousarray(legal))
    spread = 1.0 + np.abs(payoff).max(axis=(1, 2))
    if (gaps > CERTIFIED * spread).any():
        worst = int(np.argmax(gaps / spread))
        raise ArithmeticError(f"stage game {worst}: the strategies leave a gap of {gaps[worst]:.3g}")
    return values, rows, columns


def _saddle(payoff: Floats) -> tuple[int, int]:
    """Row and column of a saddle point of pure strategies, or (-1, -1)."""
    rows, columns = payoff.shape
    row, column, floor, roof = 0, 0, -np.inf, np.inf
    for i in range(rows):
        least = np.inf
        for j in range(columns):
            least = min(least, payoff[i, j])
        if least > floor:
            row, floor = i, least
    for j in range(columns):
        most = -np.inf
        for i in range(rows):
            most = max(most, payoff[i, j])
        if most < roof:
            column, roof = j, most
    return (row, column) if floor == roof else (-1, -1)


def _first_tableau(payoff: Floats) -> Floats:
    """Scaled payoffs, slack columns, right-hand side of ones; the last row holds the costs."""
    rows, columns = payoff.shape
    low, high = payoff[0, 0], payoff[0, 0]
    for i in range(rows):
        for j in range(columns):
            low, high = min(low, payoff[i, j]), max(high, payoff[i, j])
    tableau = np.zeros((rows + 1, columns + rows + 1))
    for i in range(rows):
        for j in range(columns):
            tableau[i, j] = (payoff[i, j] - low) / (high - low) + 1.0
            tableau[rows, j] = -1.0
        tableau[i, columns + i] = 1.0
        tableau[i, -1] = 1.0
    return tableau


def _enter(tableau: Floats, bland: bool) -> int:
    """The column that enters: most negative cost, or under Bland's rule the first negative; -1 for none."""
    last, width = tableau.shape[0] - 1, tableau.shape[1] - 1
    enter, least = -1, -REDUCED
    for j in range(width):
        if tableau[last, j] < least:
            enter, least = j, tableau[last, j]
            if bland:
                break
    return enter


def _leave(tableau: Floats, basis: NDArray[np.int64], enter: int) -> int:
    """The row that leaves: least ratio, ties to the lowest variable (Bland); -1 where none can."""
    best, leave = np.inf, -1
    for i in range(len(basis)):
        if tableau[i, enter] > PIVOT:
            ratio = tableau[i, -1] / tableau[i, enter]
            if ratio < best or (ratio == best and basis[i] < basis[leave]):
                best, leave = ratio, i
    return leave


def _pivot(tableau: Floats, leave: int, enter: int) -> None:
    height, width = tableau.shape
    scale = tableau[leave, enter]
    for j in range(width):
        tableau[leave, j] /= scale
    for i in range(height):
        factor = tableau[i, enter]
        if i != leave and factor != 0.0:
            for j in range(width):
                tableau[i, j] -= factor * tableau[leave, j]
            tableau[i, enter] = 0.0


def _improve(tableau: Floats, basis: NDArray[np.int64]) -> int:
    """Pivot until no column lowers the cost; returns how many pivots that took."""
    size = int(tableau.shape[1])
    for turn in range(100 * size):
        enter = _enter(tableau, turn >= 5 * size)  # Bland's rule, which cannot cycle, after many greedy pivots
        leave = _leave(tableau, basis, enter) if enter >= 0 else -1
        if leave < 0:
            return turn
        _pivot(tableau, leave, enter)
        basis[leave] = enter
    return 100 * size


def _repair(tableau: Floats, basis: NDArray[np.int64]) -> int:
    """Pivots of the dual method until no basic variable is negative, as a fresh tableau may show some to be."""
    rows, size = len(basis), int(tableau.shape[1])
    for turn in range(100 * size):
        leave, least = -1, -REDUCED
        for i in range(rows):
            if tableau[i, -1] < least:
                leave, least = i, tableau[i, -1]
        enter, best = -1, np.inf
        if leave >= 0:
            for j in range(size - 1):
                if tableau[leave, j] < -PIVOT and max(tableau[rows, j], 0.0) / -tableau[leave, j] < best:
                    enter, best = j, max(tableau[rows, j], 0.0) / -tableau[leave, j]
        if enter < 0:
            return turn
        _pivot(tableau, leave, enter)
        basis[leave] = enter
    return 100 * size


def _rebuild(payoff: Floats, basis: NDArray[np.int64]) -> Floats:
    """The tableau of a basis, afresh and with the largest pivots first, free of what rounding piled up."""
    tableau = _first_tableau(payoff)
    rows = len(basis)
    waiting, taken = basis.copy(), np.zeros(rows, np.bool_)
    for _ in range(rows):
        best, row, place = -1.0, 0, 0
        for k in range(rows):
            for i in range(rows):
                if waiting[k] >= 0 and not taken[i] and abs(tableau[i, waiting[k]]) > best:
                    best, row, place = abs(tableau[i, waiting[k]]), i, k
        _pivot(tableau, row, waiting[place])
        basis[row], taken[row], waiting[place] = waiting[place], True, -1
    return tableau


def _simplex(payoff: Floats, row: Floats, column: Floats) -> None:
    """Write the strategies of one game into `row` and `column`; saddles of pure ones are ruled out."""
    rows, columns = payoff.shape
    tableau = _first_tableau(payoff)
    basis = np.arange(columns, columns + rows)
    for turn in range(ROUNDS):
        pivots = _repair(tableau, basis) + _improve(tableau, basis)
        if pivots == 0 and turn > 0:
            break
        tableau = _rebuild(payoff, basis)
    row_sum, column_sum = 0.0, 0.0
    for i in range(rows):
        row[i] = max(tableau[rows, columns + i], 0.0)
        row_sum += row[i]
        if basis[i] < columns:
            column[basis[i]] = max(tableau[i, -1], 0.0)
            column_sum += column[basis[i]]
    for i in range(rows):
        row[i] /= row_sum
    for j in range(columns):
        column[j] /= column_sum


def _secured(payoff: Floats, row: Floats, column: Floats) -> tuple[float, float]:
    """What the row player cannot fall below and the column player cannot be pushed above."""
    rows, columns = payoff.shape
    floor, roof = np.inf, -np.inf
    for j in range(columns):
        total = 0.0
        for i in range(rows):
            total += row[i] * payoff[i, j]
        floor = min(floor, total)
    for i in range(rows):
        total = 0.0
        for j in range(columns):
            total += payoff[i, j] * column[j]
        roof = max(roof, total)
    return floor, roof


def _solve_all(payoff: Floats, legal: Bools) -> tuple[Floats, Floats, Floats, Floats]:
    games, rows, columns = payoff.shape
    values, gaps = np.zeros(games), np.zeros(games)
    row_plans, column_plans = np.zeros((games, rows)), np.zeros((games, columns))
    table, chosen, column = np.empty((rows, columns)), np.empty(columns, np.int64), np.empty(columns)
    for g in range(games):
        kept = 0
        for j in range(columns):
            if legal[g, j]:
                chosen[kept], column[kept] = j, 0.0
                for i in range(rows):
                    table[i, kept] = payoff[g, i, j]
                kept += 1
        i, j = _saddle(table[:, :kept])
        if i >= 0:
            row_plans[g, i], column[j] = 1.0, 1.0
        else:
            _simplex(table[:, :kept], row_plans[g], column[:kept])
        floor, roof = _secured(table[:, :kept], row_plans[g], column[:kept])
        values[g], gaps[g] = floor, roof - floor
        for j in range(kept):
            column_plans[g, chosen[j]] = column[j]
    return values, gaps, row_plans, column_plans


_saddle = numba.njit(cache=True)(_saddle)
_first_tableau = numba.njit(cache=True)(_first_tableau)
_enter = numba.njit(cache=True)(_enter)
_leave = numba.njit(cache=True)(_leave)
_pivot = numba.njit(cache=True)(_pivot)
_improve = numba.njit(cache=True)(_improve)
_repair = numba.njit(cache=True)(_repair)
_rebuild = numba.njit(cache=True)(_rebuild)
_simplex = numba.njit(cache=True)(_simplex)
_secured = numba.njit(cache=True)(_secured)
_solve_all = numba.njit(cache=True)(_solve_all)
