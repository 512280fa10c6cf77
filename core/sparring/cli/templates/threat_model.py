"""The victim's controls jam at times: one action of the attacker's choice comes out instead of the chosen one."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.access import Access, ActionAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.game import MarkovGame
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.threat import ThreatModel


class TemplateNameThreatOptions(PluginOptions):
    """Options of `template-name`."""

    action: int = Field(0, ge=0, description="the action that a jammed victim takes")


class TemplateNameThreat(ThreatModel):
    """With probability eps the attacker may jam the victim, which then takes one fixed action.

    A threat model says what may be touched. It never sees the budget: the core charges it.
    """

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "the victim's action jams with probability eps"
    source: ClassVar[str] = ""  # the paper and equation that you follow
    interface: ClassVar[int] = 1
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY
    nested: ClassVar[bool] = True  # a larger eps allows all that a smaller one does
    Options: ClassVar[type[PluginOptions]] = TemplateNameThreatOptions

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """The victim's action: the attacker may force the jammed one, in every state, or leave it alone."""
        if not isinstance(game, MarkovGame):
            raise RefusedError(f"threat {self.name} on {game.spec}: needs tables of a Markov game")
        actions = game.shape[1 + (victim_player or 0)]
        if self.options.action >= actions:
            raise RefusedError(
                f"threat {self.name} on {game.spec}: action {self.options.action} of {actions}, "
                f"choose from 0 to {actions - 1}"
            )
        allowed = np.zeros((game.states, actions), dtype=np.bool_)
        allowed[:, self.options.action] = True
        return ActionAccess(mode="replace", allowed=allowed)


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `template-name`."""
    return [TemplateNameThreat]
