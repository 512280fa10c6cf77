"""Exact values, visitations and best responses on effective tables."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.linalg import splu

from sparring.markov.channels import EffectiveGame

__all__ = [
    "Chain",
    "attacker_choices",
    "best_attacker",
    "best_victim",
    "chain",
    "policy_iteration",
    "sight",
    "victim_choices",
]

Floats = NDArray[np.float64]
DENSE_LIMIT = 400
"""States up to which a dense solve is faster than a sparse one."""
MAX_SWEEPS = 10_000


@dataclass(frozen=True, eq=False)
class Chain:
    """The Markov chain that two policies make."""

    step: sparse.csr_array
    """[S, S]."""
    reward: Floats
    """Expected reward of each state, [S]."""
    gamma: float

    def values(self) -> Floats:
        """`V = (I - gamma P)^-1 r`, [S]."""
        return self._solve(self.reward, transpose=False)

    def visitation(self, rho: Floats) -> Floats:
        """Normalised discounted visitation `d_rho` (rethinking, definition 2.1), [S]; sums to one."""
        return (1 - self.gamma) * self._solve(rho, transpose=True)

    def _solve(self, right: Floats, *, transpose: bool) -> Floats:
        states = len(self.reward)
        if states <= DENSE_LIMIT:
            matrix = np.eye(states) - self.gamma * self.step.toarray()
            return np.asarray(np.linalg.solve(matrix.T if transpose else matrix, right))
        system = sparse.csc_array(sparse.eye_array(states) - self.gamma * (self.step.T if transpose else self.step))
        return np.asarray(splu(system).solve(right))


def sight(game: EffectiveGame, victim: Floats) -> Floats:
    """What the victim does in each state under each option, [S, B, A], from its policy [O, A]."""
    states, options, actions = game.shape
    if game.observe is None:
        return np.broadcast_to(victim[:, None, :], (states, options, actions))
    return np.asarray(game.observe @ victim).reshape(states, options, actions)


def chain(game: EffectiveGame, gamma: float, victim: Floats, attacker: Floats) -> Chain:
    """The chain of a victim [O, A] and an attacker [S, B]."""
    states, options, actions = game.shape
    joint = sight(game, victim) * attacker[:, :, None]
    step = _average_rows(joint.reshape(states, options * actions)) @ game.transition
    return Chain(sparse.csr_array(step), np.einsum("sba,sba->s", joint, game.reward), gamma)


def attacker_choices(game: EffectiveGame, victim: Floats) -> tuple[sparse.csr_array, Floats]:
    """What each option does once the victim [O, A] is fixed: an MDP over options (thesis, lemma 6.2.7).

    Returns:
        next-state distributions [S * B, S] and the victim's expected reward [S, B].
    """
    states, options, actions = game.shape
    seen = sight(game, victim)
    moves = _average_rows(seen.reshape(states * options, actions)) @ game.transition
    return sparse.csr_array(moves), np.einsum("sba,sba->sb", seen, game.reward)


def victim_choices(game: EffectiveGame, attacker: Floats) -> tuple[sparse.csr_array, Floats]:
    """What each of the victim's actions does once the attacker [S, B] is fixed, where it sees the state.

    Returns:
        next-state distributions [S * A, S] and the victim's expected reward [S, A].
    """
    states, options, actions = game.shape
    weights = np.einsum("sb,ax->sabx", attacker, np.eye(actions))
    moves = _average_rows_blocks(weights.reshape(states, actions, options * actions)) @ game.transition
    return sparse.csr_array(moves), np.einsum("sb,sba->sa", attacker, game.reward)


def best_attacker(game: EffectiveGame, gamma: float, victim: Floats) -> tuple[Floats, Floats]:
    """The attacker's best response to a fixed victim.

    Policy iteration, so the result is exact up to the linear solves; ties go to the lowest option.

    Returns:
        attacker [S, B], deterministic, and the victim's values [S].
    """
    return policy_iteration(*attacker_choices(game, victim), game.legal, gamma, sign=-1.0)


def best_victim(game: EffectiveGame, gamma: float, attacker: Floats) -> tuple[Floats, Floats]:
    """The victim's best response to a fixed attacker [S, B], where the victim sees the state.

    Returns:
        victim [S, A], deterministic, and its values [S].
    """
    moves, reward = victim_choices(game, attacker)
    return policy_iteration(moves, reward, np.ones(reward.shape, dtype=np.bool_), gamma, sign=1.0)


def policy_iteration(
    moves: sparse.csr_array, reward: Floats, legal: NDArray[np.bool_], gamma: float, *, sign: float
) -> tuple[Floats, Floats]:
    """Improve greedily (`sign` 1 raises the value, -1 lowers it) until no choice is better.

    Args:
        moves: next-state distributions, [S * choices, S].
        reward: expected reward, [S, choices].
        legal: choices of each state, [S, choices].
        gamma: discount.
        sign: 1 to raise the value, -1 to lower it.

    Returns:
        the policy [S, choices], deterministic, and its values [S].
    """
    states, choices = reward.shape
    here = np.arange(states)
    choice = np.argmax(np.where(legal, sign * reward, -np.inf), axis=1)
    for _ in range(MAX_SWEEPS):
        values = Chain(sparse.csr_array(moves[here * choices + choice]), reward[here, choice], gamma).values()
        quality = np.where(legal, sign * (reward + gamma * (moves @ values).reshape(states, choices)), -np.inf)
        better = quality.argmax(axis=1)
        gain = quality[here, better] - quality[here, choice]
        # Rounding can make equal choices look better in turn; only a real gain counts, so this ends.
        scale = 1e-12 * (1.0 + np.abs(values).max())
        if not (gain > scale).any():
            return np.asarray(np.eye(choices)[choice]), values
        choice = np.where(gain > scale, better, choice)
    raise ArithmeticError(f"policy iteration did not settle in {MAX_SWEEPS} sweeps")


def _average_rows(weights: Floats) -> sparse.csr_array:
    """[n, n * m]: row `i` holds `weights[i]` over its own block of `m` columns."""
    rows, width = weights.shape
    columns = np.arange(rows * width)
    return sparse.csr_array(
        (weights.ravel(), columns, np.arange(0, rows * width + 1, width)), shape=(rows, rows * width)
    )


def _average_rows_blocks(weights: Floats) -> sparse.csr_array:
    """[n * k, n * m]: row `(i, j)` holds `weights[i, j]` over block `i` of `m` columns."""
    rows, inner, width = weights.shape
    columns = np.repeat(np.arange(rows * width).reshape(rows, 1, width), inner, axis=1).ravel()
    starts = np.arange(0, rows * inner * width + 1, width)
    return sparse.csr_array((weights.ravel(), columns, starts), shape=(rows * inner, rows * width))
