"""Theorem 6.3.1 of the thesis: a policy that acts alike where states look alike loses little."""

from __future__ import annotations

from collections.abc import Callable

from sparring.access import ObservationAccess
from sparring.errors import RefusedError
from sparring.markov import evaluation
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.theory.divergence import TOTAL_VARIATION
from sparring.theory.inequality import Inequality

__all__ = ["observation_gap", "printed_constant", "sound_constant"]


def sound_constant(game: MarkovGame) -> float:
    """`2 max|R| / (1 - gamma)^2`.

    Performance difference: `V - V~ = 1/(1-gamma) E_{d~} sum_a (pi(a|s) - pi(a|s^)) Q(s, a)`, and the sum is at
    most `TV * (max Q - min Q) <= TV * 2 max|R| / (1 - gamma)`.
    """
    return 2 * game.max_reward / (1 - game.gamma) ** 2


def printed_constant(game: MarkovGame) -> float:
    """`2 (1 + gamma / (1 - gamma)^2) max|R|`, as the thesis prints it: too small (kept to show so).

    Its proof drops a factor `1 / (1 - gamma)` in the first term. With it the two terms add up to
    `sound_constant`.
    """
    return 2 * (1 + game.gamma / (1 - game.gamma) ** 2) * game.max_reward


def observation_gap(
    duel: MarkovAttackGame, victim: MarkovPolicy, constant: Callable[[MarkovGame], float] = sound_constant
) -> Inequality:
    """`max_s (V(s) - V~(s)) <= constant * max_s max_{s^ in B(s)} D_TV(pi(.|s), pi(.|s^))`.

    `V~` is the value under the strongest observation attack. Under a mixing budget, `pi(.|s^)` is what the victim
    does on average when the attacker shows `s^` with that probability.

    Raises:
        RefusedError: the duel has anything but one observation attack.
    """
    if len(duel.charged) != 1 or not isinstance(duel.charged[0].access, ObservationAccess):
        raise RefusedError(f"observation_gap on {duel.game.spec}: the theorem speaks of one observation attack alone")
    attacked = duel.state_values(victim, duel.best_response(victim))
    shown = evaluation.sight(duel.effective, victim.probabilities)
    distance = TOTAL_VARIATION.between(shown, victim.probabilities[:, None])
    greatest = float(distance[duel.effective.legal].max())
    return Inequality(float((duel.state_values(victim) - attacked).max()), constant(duel.game) * greatest)
