"""The max-min strategy of a matrix as a linear programme."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

__all__ = ["max_min"]


def max_min(payoff: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """Solve `max_x min_b x^T payoff[:, b]` (von Neumann 1928) with HiGHS.

    Args:
        payoff: the row player's payoff, [A, B].

    Returns:
        The strategy [A] and the value that it really secures.

    Raises:
        ArithmeticError: the programme was not solved.
    """
    rows, columns = payoff.shape
    scale = max(1.0, float(np.abs(payoff).max()))
    solved = linprog(
        np.append(np.zeros(rows), -1.0),
        A_ub=np.hstack([-payoff.T / scale, np.ones((columns, 1))]),
        b_ub=np.zeros(columns),
        A_eq=np.append(np.ones(rows), 0.0)[None],
        b_eq=np.ones(1),
        bounds=[(0, None)] * rows + [(None, None)],
        method="highs",
    )
    if solved.status != 0 or solved.x is None:
        raise ArithmeticError(f"max-min of a {rows} by {columns} matrix: {solved.message}")
    strategy = np.maximum(solved.x[:rows], 0.0)
    strategy /= strategy.sum()
    return strategy, float((strategy @ payoff).min())
