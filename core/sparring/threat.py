"""Threat models: what an attacker may touch, never how much."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Literal

from sparring.access import Access
from sparring.budgets import BudgetKind
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import Plugin
from sparring.policy import Policy

__all__ = ["ThreatModel"]


class ThreatModel(Plugin):
    """Declares what may be touched; the core charges it against the budget."""

    kind: ClassVar[str] = "threat-model"
    budget: ClassVar[BudgetKind]
    """What its power is measured in."""
    budgets: ClassVar[Mapping[Form, BudgetKind]] = MappingProxyType({})
    """What it is measured in on forms where that is something else."""
    benign: ClassVar[Literal["used", "refused"]] = "refused"
    """Whether there is another agent with a benign policy; if so it is required at budgets below 1."""
    nested: ClassVar[bool] = True
    """Whether a larger budget allows every attacker that a smaller one does, so that it never helps the victim."""

    def budget_kind(self, form: Form) -> BudgetKind:
        """What its power is measured in on a form, with the options it has."""
        return self.budgets.get(form, self.budget)

    @abstractmethod
    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """Declare what the attacker may touch in `game` when the victim sits in `victim_player`.

        Raises:
            RefusedError: this game has nothing of that sort to touch.
        """
