"""Tabular games: what can be proved of a return without solving the attacker's problem, held against the solution."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from sparring.bounds import BoundBackend, Region
from sparring.certificate import Certificate
from sparring.errors import RefusedError
from sparring.exploitability import CROSSING
from sparring.forms import Form
from sparring.policy import Ability

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sparring.markov.attack_game import MarkovAttackGame
    from sparring.markov.policy import MarkovPolicy

__all__ = ["TabularBound", "compare_with_exact", "total_variation_certificate"]


class TabularBound(BoundBackend):
    """A bound backend of tables: it bounds a policy's return in a Markov game, and no network's outputs."""

    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.PROBABILITIES})

    @abstractmethod
    def certify(self, duel: MarkovAttackGame, victim: MarkovPolicy) -> Certificate:
        """Bound the victim's return from the start distribution against every attacker within the budget.

        Raises:
            RefusedError: it has nothing to say of this threat.
        """

    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Refuses: there is no table."""
        raise RefusedError(f"bounds {self.name}: bounds policies of tabular games; for networks take another backend")


def compare_with_exact(duel: MarkovAttackGame, victim: MarkovPolicy, found: Certificate) -> Certificate:
    """The same certificate with the exact value beside it, and how loose it is.

    `looseness` is the certified loss over the exact loss, both from the start distribution; None where the attacker
    can take nothing.

    Raises:
        ArithmeticError: it claims more than the exact value, so what made it is not sound.
    """
    nominal, exact = float(duel.measure(victim)), -duel.exploitability(victim).lower
    facts = {**found.facts, "nominal_return": nominal, "exact_return": exact, "exact_loss": nominal - exact}
    if found.least_return is None:
        return replace(found, facts={**facts, "certified_loss": None, "looseness": None})
    room = CROSSING * max(1.0, abs(exact))
    if not found.least_return <= exact + room:
        raise ArithmeticError(
            f"bounds {found.backend}: certifies a return of {found.least_return!r}, the strongest attacker leaves "
            f"{exact!r}; it is not sound"
        )
    loss = nominal - found.least_return
    loose = loss / (nominal - exact) if nominal - exact > room else None
    return replace(found, facts={**facts, "certified_loss": loss, "looseness": loose})


def total_variation_certificate(duel: MarkovAttackGame, victim: MarkovPolicy) -> Certificate:
    """Theorem 6.3.1 of the thesis with the sound constant: `V - V~ <= 2 max|R| / (1 - gamma)^2 * max TV` everywhere.

    Raises:
        RefusedError: the duel has anything but one observation attack.
    """
    from sparring.theory.observation_gap import observation_gap, sound_constant

    gap = observation_gap(duel, victim)
    constant, bound = sound_constant(duel.game), float(gap.right)
    facts = {
        "theorem": "thesis 6.3.1, constant 2 max|R| / (1 - gamma)^2",
        "constant": constant,
        "total_variation": bound / constant if constant > 0 else 0.0,
        "greatest_loss_of_a_state": float(gap.left),
    }
    return Certificate("total-variation", float(duel.measure(victim)) - bound, facts=facts)
