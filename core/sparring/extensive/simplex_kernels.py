"""Compiled passes over one player's tree in the game's order: projection, plans, behaviours."""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

import numpy as np
from numba import types, void
from numpy.typing import NDArray

from sparring.extensive.jit import BEHAVIOUR, BUFFER, compiled

__all__ = ["behaviour_of", "plan_of", "project"]

Reals = NDArray[np.float64]
Indices = NDArray[np.uint32]
ONE = np.uint64(1)
INDICES = types.Array(types.uint32, 1, "C", readonly=True)


@compiled(void, INDICES, BUFFER)
def project(offset: Indices, points: Reals) -> None:
    """Project each information set's numbers onto the simplex, in place (Michelot 1986).

    The threshold rises until every number above it stays above: at most as many rounds as actions. Numbers are
    taken relative to the largest, so that 1 is not lost beside them; a round that keeps no fewer than the one before
    ends the search, whatever rounding did.
    """
    points[0] = 1.0
    for i in range(np.uint64(len(offset)) - ONE):
        start, end = np.uint64(offset[i]), np.uint64(offset[i + ONE])
        top = points[start]
        for s in range(start, end):
            top = points[s] if points[s] > top else top
        threshold, kept = -np.inf, np.uint64(end - start) + ONE
        while True:
            above, total = np.uint64(0), 0.0
            for s in range(start, end):
                if points[s] - top > threshold:
                    above += ONE
                    total += points[s] - top
            if above >= kept:
                break
            kept = above
            threshold = (total - 1.0) / kept
        for s in range(start, end):
            points[s] = points[s] - top - threshold if points[s] - top > threshold else 0.0


@compiled(void, INDICES, INDICES, BEHAVIOUR, BUFFER)
def plan_of(offset: Indices, parent: Indices, behaviour: Reals, plan: Reals) -> None:
    """Write the realisation plan of a behaviour, [sequences]."""
    plan[0] = 1.0
    for i in range(np.uint64(len(parent))):
        for s in range(np.uint64(offset[i]), np.uint64(offset[i + ONE])):
            plan[s] = plan[parent[i]] * behaviour[s]


@compiled(void, INDICES, INDICES, BEHAVIOUR, BEHAVIOUR, BUFFER)
def behaviour_of(offset: Indices, parent: Indices, plan: Reals, fallback: Reals, behaviour: Reals) -> None:
    """Write the behaviour of a realisation plan; `fallback` where the plan never comes, [sequences]."""
    behaviour[0] = 1.0
    for i in range(np.uint64(len(parent))):
        start, end = np.uint64(offset[i]), np.uint64(offset[i + ONE])
        total = 0.0
        for s in range(start, end):
            total += plan[s]
        for s in range(start, end):
            behaviour[s] = plan[s] / total if total > 0.0 else fallback[s]
