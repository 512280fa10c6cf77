"""How unevenly states can be visited: largest ratios of visitation to the start distribution."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from sparring.markov import evaluation
from sparring.markov.channels import EffectiveGame

__all__ = ["greatest_ratio", "least_optimal_ratio", "ratio"]

Floats = NDArray[np.float64]
TIE = 1e-9
"""Choices this near to the best, relative to the values, count as best."""


def ratio(visited: Floats, rho: Floats) -> float:
    """`max_s visited(s) / rho(s)`, where states that are neither visited nor started in do not count."""
    reached = visited > 1e-15
    if (reached & (rho <= 0)).any():
        return math.inf
    return float((visited[reached] / rho[reached]).max())


def greatest_ratio(game: EffectiveGame, gamma: float) -> float:
    """`max over all policy pairs of max_s d(s) / rho(s)`, exact.

    For each state it is a Markov decision process in which both sides work together for a visit, so deterministic
    policies attain it.
    """
    states, options, actions = game.shape
    legal = np.repeat(game.legal, actions, axis=1)
    best = 0.0
    for state in range(states):
        reward = np.zeros((states, options * actions))
        reward[state] = 1.0
        values = evaluation.policy_iteration(game.transition, reward, legal, gamma, sign=1.0)[1]
        visited = (1 - gamma) * float(game.rho @ values)
        if visited > 1e-15:
            best = max(best, visited / game.rho[state] if game.rho[state] > 0 else math.inf)
    return best


def least_optimal_ratio(
    moves: sparse.csr_array, reward: Floats, legal: NDArray[np.bool_], rho: Floats, gamma: float, *, sign: float
) -> float:
    """`min over optimal policies of max_s d(s) / rho(s)` of one Markov decision process.

    The visitations of optimal policies, randomised ones among them, are the occupancy measures that use best
    choices only, so this is a linear programme; where best choices are unique there is but one visitation. Choices
    within `TIE` of the best count as best, so that rounding can only lower the result.

    Args:
        moves: next-state distributions, [S * choices, S].
        reward: [S, choices].
        legal: [S, choices].
        rho: start distribution, [S].
        gamma: discount.
        sign: 1 where rewards are raised, -1 where they are lowered.
    """
    values = evaluation.policy_iteration(moves, reward, legal, gamma, sign=sign)[1]
    short = sign * (values[:, None] - reward - gamma * (moves @ values).reshape(reward.shape))
    best = legal & (short <= TIE * (1.0 + np.abs(values).max()))
    kept = np.flatnonzero(best.ravel())
    owner = kept // reward.shape[1]
    if len(kept) == len(rho):
        step = sparse.csr_array(moves[kept])
        return ratio(evaluation.Chain(step, np.zeros(len(rho)), gamma).visitation(rho), rho)
    return _balanced(sparse.csr_array(moves[kept]), owner, rho, gamma)


def _balanced(moves: sparse.csr_array, owner: NDArray[np.int64], rho: Floats, gamma: float) -> float:
    """`min t` over occupancies `mu >= 0` with `d - gamma P^T mu = (1 - gamma) rho` and `d <= t rho`."""
    states, choices = len(rho), len(owner)
    gather = np.zeros((states, choices))
    gather[owner, np.arange(choices)] = 1.0
    solved = linprog(
        np.append(np.zeros(choices), 1.0),
        A_ub=np.column_stack([gather, -rho]),
        b_ub=np.zeros(states),
        A_eq=np.column_stack([gather - gamma * moves.T.toarray(), np.zeros(states)]),
        b_eq=(1 - gamma) * rho,
        method="highs",
    )
    if solved.status == 2:  # infeasible: some state in which no game starts is visited whatever one does
        return math.inf
    if solved.status != 0 or solved.fun is None:
        raise ArithmeticError(f"occupancy programme: {solved.message}")
    return float(solved.fun)
