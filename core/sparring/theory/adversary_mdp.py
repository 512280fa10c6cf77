"""Lemma 6.2.7 of the thesis: against a fixed victim the attacker faces an MDP."""

from __future__ import annotations

import numpy as np

from sparring.attack_game import Side
from sparring.markov import evaluation
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy

__all__ = ["adversary_mdp"]


def adversary_mdp(duel: MarkovAttackGame, victim: MarkovPolicy) -> MarkovGame:
    """The one-agent game whose optimal values are minus the victim's values under the strongest attacker.

    Its actions are the attacker's options, its rewards minus the victim's expected ones, its transitions the
    victim's policy folded into the game's: `p^(s' | s, a^) = sum_a pi(a | a^) p(s' | s, a)`. Options outside the
    budget stay in the table, as in the lemma, with a reward `C` so low that no optimal policy takes them:
    `C = -(1 + 2 max|r^| / (1 - gamma))`, below anything that better luck later can make good.

    The lemma is stated for observation attacks; the same holds of every threat on this form.

    Raises:
        RequestError: the policy does not fit the victim's side.
    """
    duel.check_policy(victim, Side.VICTIM)
    moves, reward = evaluation.attacker_choices(duel.effective, victim.probabilities)
    legal = duel.effective.legal
    forbidden = -(1.0 + 2.0 * float(np.abs(reward[legal]).max()) / (1 - duel.game.gamma))
    gain = np.where(legal, -reward, forbidden)
    return MarkovGame(
        spec=f"adversary of {duel.game.spec}",
        shape=(*legal.shape, 1),
        transition=moves,
        reward=gain[None, :, :, None],
        rho=duel.effective.rho,
        gamma=duel.game.gamma,
    )
