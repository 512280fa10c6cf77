"""One step along the sign of the gradient."""

from __future__ import annotations

from typing import ClassVar

from sparring import hookimpl
from sparring.attack_game import AttackGame
from sparring.oracle import Oracle
from sparring.policy import Policy
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._gradient_oracle import GradientOracle

ACROSS = 2.0
"""From any point of the ball a step of this length along a sign ends on the opposite side."""


class Fgsm(GradientOracle):
    """One step across the ball, from a random point of it: where nothing has changed the distance has no gradient."""

    name: ClassVar[str] = "fgsm"
    summary: ClassVar[str] = "one gradient step away from the nominal action, as far as the budget goes"
    source: ClassVar[str] = "Goodfellow, Shlens, Szegedy 2015; thesis, equation 6.15"

    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """One step."""
        return GradientAttacker("departure", steps=1, rate=ACROSS)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `fgsm`."""
    return [Fgsm]
