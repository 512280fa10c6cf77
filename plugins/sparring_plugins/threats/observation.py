"""Attacks on what the victim sees."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Annotated, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from sparring import hookimpl
from sparring.access import Access, Ball, ObservationAccess
from sparring.budgets import GRAPH_RADIUS, LP_RADIUS, BudgetKind
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box
from sparring.threat import ThreatModel
from sparring.timing import Timing


def _as_text(given: object) -> object:
    """Text that a spec has read as a number, as it stood there."""
    return str(given) if isinstance(given, int | float) and not isinstance(given, bool) else given


class ObservationOptions(PluginOptions):
    """Options of `observation`; those of vectors have no meaning on tabular games."""

    norm: Annotated[Literal["inf", "2", "1"], BeforeValidator(_as_text)] = Field(
        "inf", description="vectors: the norm that the budget bounds"
    )
    space: Literal["normalised", "raw"] = Field(
        "normalised",
        description="vectors: whether the change is measured after the victim's own normalisation, or before it",
    )
    scale: Annotated[str, BeforeValidator(_as_text)] = Field(
        "", description="vectors: size of one unit of budget in each feature, numbers between spaces; empty for 1"
    )
    clip: bool = Field(False, description="vectors, raw space: whether what is shown stays within the game's limits")
    share: float = Field(
        1.0, ge=0, le=1, description="vectors: part of the steps on which the attacker may act, drawn anew at each"
    )
    steps: int = Field(
        0,
        ge=0,
        description="vectors: steps of an episode that may be attacked; 0 for all",
        json_schema_extra=unit("steps"),
    )


class Observation(ThreatModel):
    """The victim is shown a state no more than the budget away from the true one (SA-MDP)."""

    name: ClassVar[str] = "observation"
    summary: ClassVar[str] = "the victim acts on a perturbed observation; the world moves by the true state"
    source: ClassVar[str] = "Zhang, Provable robustness (thesis), definition 6.2.2 and algorithm 6.4"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV, Form.SIMULATED})
    budget: ClassVar[BudgetKind] = GRAPH_RADIUS
    budgets: ClassVar[Mapping[Form, BudgetKind]] = MappingProxyType({Form.SIMULATED: LP_RADIUS})
    Options: ClassVar[type[PluginOptions]] = ObservationOptions

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """Every state as an observation, as far away as the neighbour graph says; vectors within a ball."""
        if isinstance(game, SimulatedGame):
            return ObservationAccess(
                ball=self._ball(game), timing=Timing(self.options.share, self.options.steps or None)
            )
        chosen = ", ".join(self.options.model_dump(exclude_defaults=True))
        if chosen:
            raise RefusedError(f"threat observation on {game.spec}: observations are no vectors, leave out {chosen}")
        if not isinstance(game, MarkovGame) or game.neighbours is None:
            raise RefusedError(
                f"threat observation on {game.spec}: the game says of no two states that they look alike; "
                "give it `neighbours`"
            )
        return ObservationAccess(size=graph_distance(game.neighbours))

    def _ball(self, game: SimulatedGame) -> Ball:
        space = game.observation
        if not isinstance(space, Box):
            raise RefusedError(f"threat observation on {game.spec}: observations are {space}, which have no distance")
        if self.options.clip and self.options.space != "raw":
            raise RequestError(
                f"threat observation on {game.spec}: clip=true is of raw observations; say space=raw as well"
            )
        low, high = (space.low, space.high) if self.options.clip else (None, None)
        return Ball(self.options.norm, self._scale(game, space), low, high, self.options.space)

    def _scale(self, game: SimulatedGame, space: Box) -> NDArray[np.float64] | None:
        words = self.options.scale.replace(",", " ").split()
        if not words:
            return None
        try:
            numbers = np.array([float(word) for word in words])
        except ValueError:
            raise RequestError(f"threat observation: scale={self.options.scale!r}, expected numbers") from None
        if numbers.size not in (1, int(np.prod(space.shape))):
            raise RequestError(
                f"threat observation on {game.spec}: scale has {numbers.size} numbers, observations have {space}"
            )
        return np.array(np.broadcast_to(numbers, int(np.prod(space.shape))).reshape(space.shape))


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `observation`."""
    return [Observation]
