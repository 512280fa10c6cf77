"""Attacks on how the world moves: the knobs that a game declares, turned within the budget."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball, ChargedAccess, DynamicsAccess
from sparring.errors import RefusedError, RequestError, nearest
from sparring.simulated.channel import Channel, beside
from sparring.simulated.charging import bounded_change
from sparring.simulated.knobs import Knob

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["DynamicsChannel", "dynamics_channel"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DynamicsChannel(Channel):
    """Turns knobs of the world, each within a ball of its own: at every step, or once an episode."""

    knobs: tuple[Knob, ...]
    ball: Ball

    @property
    def held(self) -> bool:
        """Whether they are set at the first step and kept."""
        return self.knobs[0].held

    @property
    def counts(self) -> bool:
        """Where they are set once."""
        return self.held

    def due(self, used: NDArray[np.int64]) -> Flags:
        """In which episodes they are to be turned now, [batch]."""
        return used == 0 if self.held else np.ones(len(used), dtype=np.bool_)

    def spent(self, target: Array, made: Array, used: NDArray[np.int64]) -> Flags:
        """Whenever they are turned, were it to 0."""
        return self.due(used)

    def apply(self, target: Array, proposal: Array, coin: Floats, used: NDArray[np.int64]) -> Array:
        """What the knobs are turned to where the target is 0."""
        ends = np.cumsum([knob.width for knob in self.knobs])[:-1]
        parts = [bounded_change(part, self.ball, self.radius, self.who) for part in np.split(proposal, ends, axis=1)]
        return np.where(beside(self.due(used), proposal), np.concatenate(parts, axis=1), target)


def dynamics_channel(game: SimulatedGame, part: ChargedAccess, access: DynamicsAccess) -> DynamicsChannel:
    """The channel of a declared access.

    Raises:
        RefusedError: the game's worlds have nothing to turn, or the declaration is none of knobs.
        RequestError: they have no such knob.
    """
    where = f"{part.threat} on {game.spec}"
    known = {knob.name: knob for knob in game.knobs}
    if not known:
        raise RefusedError(f"{where}: its worlds offer no forces or parameters to change")
    names = [*(f"force {body}" for body in access.bodies), *access.parameters]
    for name in names:
        if name not in known:
            raise RequestError(f"{where}: its worlds have no {name!r} to change; {nearest(name, known)}")
    if not names:
        raise RefusedError(f"{where}: declares no body and no parameter, so there is nothing to change")
    knobs = tuple(known[name] for name in dict.fromkeys(names))
    kind = part.budget.kind
    for knob in knobs:
        if knob.budget != kind or knob.held != knobs[0].held:
            raise RefusedError(f"{where}: {knob.name} is paid for by {knob.budget.name}, alone with others of its sort")
    ball = Ball() if access.ball is None else access.ball
    if any(array is not None for array in (ball.scale, ball.low, ball.high)):
        raise RefusedError(f"{where}: knobs have no scale and no limits besides the budget")
    return DynamicsChannel(part, sum(knob.width for knob in knobs), knobs, ball)
