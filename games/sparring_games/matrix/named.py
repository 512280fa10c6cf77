"""Matrix games that go by a name."""

from __future__ import annotations

import numpy as np

from sparring.matrix.game import MatrixGame

__all__ = ["matching_pennies", "rock_paper_scissors"]


def rock_paper_scissors() -> MatrixGame:
    """Rock, paper, scissors: 1 for a win, -1 for a loss, 0 for equal choices; zero-sum, value 0."""
    # Choice `a` beats choice `b` when it comes right after it in the cycle.
    ahead = (np.arange(3)[:, None] - np.arange(3)) % 3
    payoff = np.array([0.0, 1.0, -1.0])[ahead]
    names = ("rock", "paper", "scissors")
    return MatrixGame("matrix:rock-paper-scissors", np.stack([payoff, -payoff]), (names, names))


def matching_pennies() -> MatrixGame:
    """Matching pennies: player 0 wins 1 when the sides agree and loses 1 when they differ; zero-sum, value 0."""
    payoff = 2.0 * np.eye(2) - 1.0
    names = ("heads", "tails")
    return MatrixGame("matrix:matching-pennies", np.stack([payoff, -payoff]), (names, names))
