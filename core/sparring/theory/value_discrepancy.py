"""Proposition 3.1 of rethinking: a small budget moves the victim's value only so far."""

from __future__ import annotations

from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.inequality import Inequality
from sparring.theory.joint_play import greatest_divergence, joint_value

__all__ = ["value_discrepancy"]


def value_discrepancy(
    game: MarkovGame, victim: MarkovPolicy, benign: MarkovPolicy, deployed: MarkovPolicy, *, victim_player: int = 0
) -> Inequality:
    """`|V_rho(nu, benign) - V_rho(nu, deployed)| <= (max r - min r) 2 eps / (1 - gamma)^2`.

    `eps = max_s D_TV(deployed(.|s) || benign(.|s))` with TV half the l1 norm, which is at most the attack budget
    when `deployed = (1 - budget) * benign + budget * attacker`. The paper has rewards in [0, 1]; a constant added
    to all rewards leaves the left side alone, so the range of the victim's rewards scales the right one.

    Args:
        game: two players.
        victim: the victim's policy, [S, A].
        benign: the other seat's policy before, [S, C].
        deployed: the other seat's policy after, [S, C].
        victim_player: the victim's seat.

    Raises:
        RequestError: a policy does not fit the game.
    """
    before, after = (joint_value(game, victim, other, victim_player) for other in (benign, deployed))
    reward = game.reward[victim_player]
    spread = float(reward.max() - reward.min())
    distance = greatest_divergence(deployed, benign)
    return Inequality(abs(before - after), spread * 2 * distance / (1 - game.gamma) ** 2)
