"""Proposition 3.2 of rethinking: a small budget leaves the visited states much as they were."""

from __future__ import annotations

import numpy as np

from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.inequality import Inequality
from sparring.theory.joint_play import greatest_divergence, joint_visitation

__all__ = ["visitation_discrepancy"]


def visitation_discrepancy(
    game: MarkovGame, victim: MarkovPolicy, benign: MarkovPolicy, deployed: MarkovPolicy, *, victim_player: int = 0
) -> Inequality:
    """`|| d_rho(nu, benign) - d_rho(nu, deployed) ||_1 <= 2 gamma eps / (1 - gamma)`.

    `eps = max_s D_TV(deployed(.|s) || benign(.|s))` with TV half the l1 norm; arguments and errors as for
    `value_discrepancy`. Rewards play no part.
    """
    before, after = (joint_visitation(game, victim, other, victim_player) for other in (benign, deployed))
    distance = greatest_divergence(deployed, benign)
    return Inequality(float(np.abs(before - after).sum()), 2 * game.gamma * distance / (1 - game.gamma))
