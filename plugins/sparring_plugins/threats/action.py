"""Attacks on what the victim does."""

from __future__ import annotations

from typing import ClassVar

from sparring import hookimpl
from sparring.access import Access, ActionAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.threat import ThreatModel


class Action(ThreatModel):
    """The victim's action is replaced by the attacker's with probability eps (PR-MDP)."""

    name: ClassVar[str] = "action"
    summary: ClassVar[str] = "the victim's action is replaced with probability eps (PR-MDP)"
    source: ClassVar[str] = "Tessler, Efroni, Mannor 2019, definition 1"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.MARKOV})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """The victim's own action, any of those it has."""
        return ActionAccess(mode="replace")


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `action`."""
    return [Action]
