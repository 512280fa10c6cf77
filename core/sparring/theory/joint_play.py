"""What two fixed memoryless policies do together in a Markov game, with no budget in between."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import Side
from sparring.budgets import MIXING_PROBABILITY
from sparring.markov import evaluation
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.divergence import TOTAL_VARIATION, Divergence

__all__ = ["greatest_divergence", "joint_chain", "joint_value", "joint_visitation"]

Floats = NDArray[np.float64]


def joint_chain(game: MarkovGame, victim: MarkovPolicy, other: MarkovPolicy, victim_player: int) -> evaluation.Chain:
    """The Markov chain of the victim's policy and the other seat's, with the victim's rewards.

    Raises:
        RequestError: a policy does not fit the game or its seat; RefusedError for one-agent games.
    """
    whole = ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1.0), "full control")
    duel = MarkovAttackGame(game, [whole], victim_player)
    duel.check_policy(victim, Side.VICTIM)
    duel.check_policy(other, Side.ATTACKER)
    return evaluation.chain(duel.effective, game.gamma, victim.probabilities, other.probabilities)


def joint_value(game: MarkovGame, victim: MarkovPolicy, other: MarkovPolicy, victim_player: int = 0) -> float:
    """`V_rho(pi_nu, pi_alpha)`, the victim's discounted return (rethinking, section 2)."""
    return float(game.rho @ joint_chain(game, victim, other, victim_player).values())


def joint_visitation(game: MarkovGame, victim: MarkovPolicy, other: MarkovPolicy, victim_player: int = 0) -> Floats:
    """`d_rho`, normalised discounted state visitation (rethinking, definition 2.1), [S]."""
    return joint_chain(game, victim, other, victim_player).visitation(game.rho)


def greatest_divergence(one: MarkovPolicy, two: MarkovPolicy, divergence: Divergence = TOTAL_VARIATION) -> float:
    """`max_s D(one(.|s) || two(.|s))`; `D_TV^max` of rethinking, section 3, by default."""
    return float(divergence.between(one.probabilities, two.probabilities).max())
