"""Attacks on what the victim sees."""

from __future__ import annotations

from typing import ClassVar

from sparring import hookimpl
from sparring.access import Access, ObservationAccess
from sparring.budgets import GRAPH_RADIUS, BudgetKind
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.policy import Policy
from sparring.threat import ThreatModel


class Observation(ThreatModel):
    """The victim is shown a state no more than the budget away from the true one (SA-MDP)."""

    name: ClassVar[str] = "observation"
    summary: ClassVar[str] = "the victim acts on a perturbed observation; the world moves by the true state"
    source: ClassVar[str] = "Zhang, Provable robustness (thesis), definition 6.2.2 and algorithm 6.4"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})
    budget: ClassVar[BudgetKind] = GRAPH_RADIUS

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """Every state as an observation, as far away as the neighbour graph says."""
        if not isinstance(game, MarkovGame) or game.neighbours is None:
            raise RefusedError(
                f"threat observation on {game.spec}: the game says of no two states that they look alike; "
                "give it `neighbours`"
            )
        return ObservationAccess(size=graph_distance(game.neighbours))


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `observation`."""
    return [Observation]
