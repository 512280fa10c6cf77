"""Partial control of another agent."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from sparring import hookimpl
from sparring.access import Access, Coin, OpponentAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.threat import ThreatModel


class PartialControlOptions(PluginOptions):
    """Options of `partial-control`."""

    coin: Coin = Field(
        Coin.DECISION,
        description="when it is decided who acts: anew at every `decision` (eq 3.2), or once an `episode`",
    )


class PartialControl(ThreatModel):
    """The attacker plays the other seat with probability eps, its benign policy the rest of the time."""

    name: ClassVar[str] = "partial-control"
    summary: ClassVar[str] = "the other agent deviates from its benign policy with probability eps"
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, equations 3.1 and 3.2"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX, Form.MARKOV, Form.EXTENSIVE, Form.SIMULATED})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY
    benign: ClassVar[Literal["used", "refused"]] = "used"
    Options: ClassVar[type[PluginOptions]] = PartialControlOptions

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """The other seat, with the benign policy in it."""
        return OpponentAccess(benign, self.options.coin)


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `partial-control`."""
    return [PartialControl]
