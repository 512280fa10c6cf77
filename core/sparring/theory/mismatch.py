"""The minimax mismatch coefficient (rethinking, definition 5.2) of small Markov games, as an interval."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.attack_game import Side
from sparring.errors import RefusedError
from sparring.markov import evaluation
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.occupancy import greatest_ratio, least_optimal_ratio

__all__ = ["MismatchCoefficient", "mismatch_against", "mismatch_coefficient"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class MismatchCoefficient:
    """`lower <= C <= upper`; both infinite where states are reached in which no game starts."""

    lower: float
    upper: float
    witness: MarkovPolicy
    """The policy whose best responses give `lower`."""
    witness_side: Side

    @property
    def exact(self) -> bool:
        """Whether the ends meet."""
        return self.lower == self.upper or self.upper - self.lower <= 1e-9 * self.upper


def mismatch_against(duel: MarkovAttackGame, side: Side, policy: MarkovPolicy) -> float:
    """`min over best responses to policy of || d_rho / rho ||_inf`, the inner part of definition 5.2.

    Exact, to 1e-7 where best responses tie and a linear programme balances them.

    Args:
        duel: an attack game in which the victim sees the state.
        side: whose policy is given; the other side responds.
        policy: the fixed policy.

    Raises:
        RefusedError: the victim does not see the state.
    """
    _require_markov(duel)
    duel.check_policy(policy, side)
    game, gamma = duel.effective, duel.game.gamma
    if side is Side.VICTIM:
        moves, reward = evaluation.attacker_choices(game, policy.probabilities)
        return least_optimal_ratio(moves, reward, game.legal, game.rho, gamma, sign=-1.0)
    moves, reward = evaluation.victim_choices(game, policy.probabilities)
    everything = np.ones(reward.shape, dtype=np.bool_)
    return least_optimal_ratio(moves, reward, everything, game.rho, gamma, sign=1.0)


def mismatch_coefficient(
    duel: MarkovAttackGame, *, rng: np.random.Generator, samples: int = 200, enumerate_up_to: int = 2000
) -> MismatchCoefficient:
    """Bracket `C = max(max_nu min_{alpha in BR(nu)} |d/rho|, max_alpha min_{nu in BR(alpha)} |d/rho|)`.

    What is computed, and what is not: the inner minimum is exact for any policy (`mismatch_against`). The outer
    maximum runs over a continuum on which the best response jumps, and deterministic policies need *not* attain
    it: a mixed victim can have best responses that no deterministic victim has. So

    - `lower` is the greatest inner value over policies that were tried, each of which is a true lower bound: all
      deterministic ones where there are at most `enumerate_up_to` of them for that side, else `samples` random
      ones, and `samples` random mixed ones;
    - `upper` is `max_{nu, alpha} |d/rho|`, where the two sides work together, which is exact as a joint Markov
      decision process.

    They meet when a pair of policies that visits some state as often as any can is a best response as the
    definition wants it, for example always for the victim's part at budget 0.

    Raises:
        RefusedError: the victim does not see the state.
    """
    _require_markov(duel)
    lower, witness, witness_side = -np.inf, None, Side.VICTIM
    for side in Side:
        for policy in _tried(duel, side, samples, enumerate_up_to, rng):
            found = mismatch_against(duel, side, policy)
            if found > lower:
                lower, witness, witness_side = found, policy, side
    assert witness is not None
    upper = greatest_ratio(duel.effective, duel.game.gamma)
    # Both are computed with rounding; an interval keeps its ends in order.
    return MismatchCoefficient(min(lower, upper), upper, witness, witness_side)


def _require_markov(duel: MarkovAttackGame) -> None:
    if not duel.sees_state:
        raise RefusedError(f"mismatch coefficient of {duel.game.spec}: the victim does not see the state")


def _tried(
    duel: MarkovAttackGame, side: Side, samples: int, most: int, rng: np.random.Generator
) -> Iterator[MarkovPolicy]:
    """Deterministic policies, all or a sample, and then mixed ones."""
    states, _, actions = duel.effective.shape
    legal = np.ones((states, actions), np.bool_) if side is Side.VICTIM else duel.effective.legal
    width = legal.shape[1]
    choices = [np.flatnonzero(row) for row in legal]
    if np.prod([float(len(row)) for row in choices]) <= most:
        picks: Iterator[tuple[int, ...]] = itertools.product(*choices)
    else:
        picks = (tuple(int(rng.choice(row)) for row in choices) for _ in range(samples))
    for pick in picks:
        yield MarkovPolicy(np.eye(width)[list(pick)])
    for _ in range(samples):
        yield duel.draw(side, rng)
