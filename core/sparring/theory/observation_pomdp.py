"""Lemma 6.2.8 of the thesis: against a fixed adversary the victim faces a POMDP."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring.access import ObservationAccess
from sparring.attack_game import Side
from sparring.budgets import Charge
from sparring.errors import RefusedError
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy

__all__ = ["ObservationPomdp", "observation_pomdp"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ObservationPomdp:
    """A partially observed Markov decision process whose observations depend on the state alone."""

    game: MarkovGame
    """The states, actions, transitions and rewards, never changed by the adversary."""
    observe: Floats
    """`O(o | s)`, [S, observations]."""

    def values(self, policy: MarkovPolicy) -> Floats:
        """Values of a memoryless policy over observations [observations, A], from each state, [S].

        A memoryless policy plays in state `s` the mixture `sum_o O(o | s) policy(. | o)`. The best policy of a
        POMDP may need memory; nothing is said of it here.
        """
        states, actions, _ = self.game.shape
        played = self.observe @ policy.probabilities
        rows = self.game.transition.toarray().reshape(states, actions, states)
        step = np.einsum("sa,sat->st", played, rows)
        reward = np.sum(played * self.game.reward[0, :, :, 0], axis=1)
        return np.asarray(np.linalg.solve(np.eye(states) - self.game.gamma * step, reward))


def observation_pomdp(duel: MarkovAttackGame, attacker: MarkovPolicy) -> ObservationPomdp:
    """The POMDP that a fixed memoryless adversary makes of an observation attack: `O(o | s) = nu(o | s)`.

    For every memoryless policy its values are those of the attacked game.

    Raises:
        RefusedError: the duel has anything but one observation attack.
        RequestError: the attacker is not of this duel.
    """
    if len(duel.charged) != 1 or not isinstance(duel.charged[0].access, ObservationAccess):
        raise RefusedError(f"observation_pomdp on {duel.game.spec}: the lemma speaks of one observation attack alone")
    duel.check_policy(attacker, Side.ATTACKER)
    budget = duel.charged[0].budget
    weight = budget.value if budget.kind.charge is Charge.MIX else 1.0
    seen = weight * attacker.probabilities + (1 - weight) * np.eye(duel.game.states)
    return ObservationPomdp(duel.game, seen)
