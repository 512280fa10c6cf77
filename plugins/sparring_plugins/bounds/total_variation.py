"""Theorem 6.3.1 of the thesis as a certificate of tabular policies under observation attack."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparring import hookimpl
from sparring.bounds import BoundBackend
from sparring.certificates.tabular import TabularBound, total_variation_certificate

if TYPE_CHECKING:
    from sparring.certificate import Certificate
    from sparring.markov.attack_game import MarkovAttackGame
    from sparring.markov.policy import MarkovPolicy


class TotalVariation(TabularBound):
    """A policy that acts alike where states look alike loses little."""

    name: ClassVar[str] = "total-variation"
    summary: ClassVar[str] = "tabular observation attacks: loss at most 2 max|R| / (1 - gamma)^2 times total variation"
    source: ClassVar[str] = "Zhang, Provable robustness (thesis), theorem 6.3.1, its constant corrected"

    def certify(self, duel: MarkovAttackGame, victim: MarkovPolicy) -> Certificate:
        """Total variation over what the victim may be shown."""
        return total_variation_certificate(duel, victim)


@hookimpl
def sparring_bound_backends() -> list[type[BoundBackend]]:
    """Give `total-variation`."""
    return [TotalVariation]
