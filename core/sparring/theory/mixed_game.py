"""Lemma D.1 of rethinking: under partial control a Markov game is a Markov game again."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RequestError
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy

__all__ = ["mixed_game"]

Floats = NDArray[np.float64]


def mixed_game(game: MarkovGame, benign: MarkovPolicy, eps: float, victim_player: int = 0) -> MarkovGame:
    """The game in which the attacker's whole policy plays against the mixed dynamics.

    `P_mix(s' | s, a, c) = (1 - eps) sum_c' P(s' | s, a, c') benign(c' | s) + eps P(s' | s, a, c)`, rewards alike.
    Its values and visitations under `(nu, alpha)` are those of the original game under
    `(nu, (1 - eps) benign + eps alpha)` (equations D.3 and D.4). Seats and action counts stay as they were.

    Args:
        game: two players.
        benign: the attacked seat's benign policy, [S, C].
        eps: the attack budget, in [0, 1].
        victim_player: the seat that is not attacked.

    Raises:
        RequestError: one agent, a budget outside its range, or a benign policy of another shape.
    """
    weight = MIXING_PROBABILITY.budget(eps).value
    game.check_seat(victim_player)
    attacked = 2 - victim_player  # the axis of `reward[player]` that the mixing sums over
    if game.players != 2 or benign.probabilities.shape != (game.states, game.shape[attacked]):
        found = list(benign.probabilities.shape)
        raise RequestError(
            f"mixed_game of {game.spec}: benign of shape {found} does not fit a two-player game {game.shape}"
        )
    reward = np.stack([_mix(table, benign.probabilities, weight, attacked) for table in game.reward])
    return MarkovGame(
        spec=f"{game.spec} mixed at {eps:g}",
        shape=game.shape,
        transition=_mix_rows(game, benign.probabilities, weight, attacked),
        reward=reward,
        rho=game.rho,
        gamma=game.gamma,
        neighbours=game.neighbours,
        reward_bound=game.reward_bound,
        state_names=game.state_names,
    )


def _mix(table: Floats, benign: Floats, weight: float, axis: int) -> Floats:
    shares = np.expand_dims(benign, 3 - axis)  # benign along the attacked axis, 1 along the other seat's
    calm = np.sum(shares * table, axis=axis, keepdims=True)
    return np.asarray((1 - weight) * calm + weight * table)


def _mix_rows(game: MarkovGame, benign: Floats, weight: float, axis: int) -> sparse.csr_array:
    """The mixed transitions, [S * A0 * A1, S]."""
    rows = np.arange(int(np.prod(game.shape))).reshape(game.shape)
    mixed = sparse.csr_array(weight * game.transition)
    for choice in range(game.shape[axis]):
        chosen = np.broadcast_to(rows.take([choice], axis=axis), game.shape).ravel()
        share = np.broadcast_to(benign[:, choice][:, None, None], game.shape).ravel()
        mixed = mixed + sparse.diags_array((1 - weight) * share) @ game.transition[chosen]
    return sparse.csr_array(mixed)
