"""Attacks on what the victim does."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.access import Access, ActionAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.threat import ThreatModel


class ActionOptions(PluginOptions):
    """Options of `action`."""

    mode: Literal["replace", "mix"] = Field(
        "replace",
        description="`replace`: the attacker's action is taken with probability eps (PR-MDP); `mix`: it is mixed into "
        "the victim's with weight eps (NR-MDP), where actions are vectors",
    )


class Action(ThreatModel):
    """The victim's action is replaced by the attacker's with probability eps (PR-MDP), or mixed with it (NR-MDP)."""

    name: ClassVar[str] = "action"
    summary: ClassVar[str] = "the victim's action is replaced with probability eps (PR-MDP), or mixed with weight eps"
    source: ClassVar[str] = "Tessler, Efroni, Mannor 2019, definitions 1 and 2"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.MARKOV, Form.SIMULATED})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY
    Options: ClassVar[type[PluginOptions]] = ActionOptions

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """The victim's own action, any of those it has."""
        if self.options.mode == "mix" and game.form is not Form.SIMULATED:
            raise RefusedError(
                f"threat action on {game.spec}: its actions are no vectors to be mixed; use mode=replace"
            )
        return ActionAccess(mode=self.options.mode)


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `action`."""
    return [Action]
