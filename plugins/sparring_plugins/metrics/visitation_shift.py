"""How much an attack changes where the game goes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.markov.attack_game import MarkovAttackGame
from sparring.metric import Measured, Metric, Scored
from sparring.policy import Policy


class VisitationShift(Metric):
    """l1 distance between the discounted state visitations with and without the attack: 0 is unnoticeable, 2 is most.

    Under partial control by decision coins it is at most `2 gamma eps / (1 - gamma)`.
    """

    name: ClassVar[str] = "visitation-shift"
    summary: ClassVar[str] = "l1 distance between state visitations with and without the attack"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, definition 2.1 and proposition 3.2"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})

    def measure(
        self, duel: AttackGame, victim: Policy, attacks: Sequence[Scored], rng: np.random.Generator
    ) -> Mapping[str, Measured]:
        """The distance for each attack, by oracle."""
        if not isinstance(duel, MarkovAttackGame) or not duel.has_nominal:
            raise RefusedError(f"metric visitation-shift on {duel.game.spec}: needs an unattacked Markov game")
        before = duel.visitation(victim)
        return {
            attack.oracle: float(np.abs(duel.visitation(victim, attack.attacker) - before).sum()) for attack in attacks
        }


@hookimpl
def sparring_metrics() -> list[type[Metric]]:
    """Give `visitation-shift`."""
    return [VisitationShift]
