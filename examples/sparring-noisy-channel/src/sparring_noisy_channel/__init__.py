"""A noisy channel between the world and the victim, with an attacker who chooses the noise."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.access import Access, Ball, ObservationAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.game import MarkovGame
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.simulated import Box, SimulatedGame
from sparring.threat import ThreatModel

__all__ = ["NoisyChannel", "NoisyChannelOptions"]


class NoisyChannelOptions(PluginOptions):
    """Options of `noisy-channel`."""

    shows: Literal["any", "neighbours"] = Field(
        "any",
        description="tables: what a corrupted observation may be: `any` state, or one of the true one's `neighbours`",
    )
    reach: float = Field(
        1.0,
        gt=0,
        le=1e6,
        description="vectors: how far each number of a corrupted observation may lie from the truth",
    )


class NoisyChannel(ThreatModel):
    """At every step, with probability eps and without memory, the attacker writes what the victim observes.

    The rest of the time the victim sees the truth. It acts on what it sees, and the world moves on by what is
    true. Unlike the built-in `observation`, whose budget says how far an observation may lie from the truth at every
    step, this one says how often it may: the two budgets bound the size and the rate of the corruption.
    """

    name: ClassVar[str] = "noisy-channel"
    summary: ClassVar[str] = "with probability eps the victim sees what the attacker chooses"
    source: ClassVar[str] = "SA-MDP (Zhang et al. 2020, definition 1) with a corruption probability in place of a ball"
    interface: ClassVar[int] = 1
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV, Form.SIMULATED})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY
    nested: ClassVar[bool] = True  # the true observation is always among the choices
    Options: ClassVar[type[PluginOptions]] = NoisyChannelOptions

    def access(self, game: Game, victim_player: int | None, benign: Policy | None) -> Access:
        """What may be shown in place of the truth: states, or vectors within reach of the true one.

        Raises:
            RefusedError: `shows=neighbours` on a game that says of no two states that they look alike, or observations
                that are choices and have no distance.
        """
        if isinstance(game, SimulatedGame):
            return self._vectors(game)
        return self._states(game)

    def _vectors(self, game: SimulatedGame) -> Access:
        """A box around the true observation, within the game's own limits; tossing the coin is the core's business."""
        space = game.observation
        if not isinstance(space, Box):
            raise RefusedError(f"threat noisy-channel on {game.spec}: observations are {space}, which have no distance")
        scale = np.full(space.shape, self.options.reach)
        return ObservationAccess(ball=Ball("inf", scale=scale, low=space.low, high=space.high))

    def _states(self, game: Game) -> Access:
        """Observations by state: a finite size is within reach, and under a mixing budget all that is finite is."""
        if not isinstance(game, MarkovGame):
            raise RefusedError(f"threat noisy-channel on {game.spec}: needs a table of states to show")
        if self.options.shows == "any":
            return ObservationAccess(size=np.zeros((game.states, game.states)))
        if game.neighbours is None:
            raise RefusedError(
                f"threat noisy-channel on {game.spec}: it has no neighbours; take shows=any, or give it `neighbours`"
            )
        alike = np.asarray(game.neighbours, dtype=np.bool_) | np.eye(game.states, dtype=np.bool_)
        return ObservationAccess(size=np.where(alike, 0.0, np.inf))


@hookimpl
def sparring_threat_models() -> list[type[ThreatModel]]:
    """Give `noisy-channel`."""
    return [NoisyChannel]
