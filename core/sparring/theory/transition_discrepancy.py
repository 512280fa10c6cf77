"""Proposition 3.3 of rethinking: what the victim sees of the dynamics moves less than the policies do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.divergence import TOTAL_VARIATION, Divergence
from sparring.theory.inequality import Inequality

__all__ = ["marginal_transition", "transition_discrepancy"]

Floats = NDArray[np.float64]


def marginal_transition(game: MarkovGame, other: MarkovPolicy, victim_player: int = 0) -> Floats:
    """`P_nu(s' | s, a) = E_{c ~ other(.|s)} P(s' | s, a, c)`, [S, A, S].

    Raises:
        RequestError: there is no such seat, or the policy does not fit the other one.
    """
    game.check_seat(victim_player)
    table, reward = game.for_seat(victim_player)
    states, _, others = reward.shape
    if other.probabilities.shape != (states, others):
        found = list(other.probabilities.shape)
        raise RequestError(f"policy of shape {found} does not fit {game.spec}, expected {[states, others]}")
    rows = table.toarray().reshape(*reward.shape, states)
    return np.asarray(np.einsum("sc,sact->sat", other.probabilities, rows))


def transition_discrepancy(
    game: MarkovGame,
    benign: MarkovPolicy,
    deployed: MarkovPolicy,
    *,
    victim_player: int = 0,
    divergence: Divergence = TOTAL_VARIATION,
) -> Inequality:
    """`D_f(P_nu^deployed(.|s, a) || P_nu^benign(.|s, a)) <= D_f(deployed(.|s) || benign(.|s))` for all s and a.

    The data-processing inequality for the channel from the other seat's action to the next state; it holds for
    any f-divergence, and both sides may be infinite.

    Returns:
        left [S, A], right [S, 1].
    """
    after, before = (marginal_transition(game, other, victim_player) for other in (deployed, benign))
    policies = divergence.between(deployed.probabilities, benign.probabilities)
    return Inequality(divergence.between(after, before), policies[:, None])
