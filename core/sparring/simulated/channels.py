"""What the attacker touches in a simulated game: each channel takes proposals and makes the change that is paid for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import ActionAccess, Ball, ChargedAccess, DynamicsAccess, ObservationAccess
from sparring.budgets import Charge
from sparring.errors import RefusedError, RequestError
from sparring.game import frozen
from sparring.simulated.channel import Channel, beside
from sparring.simulated.charging import bounded_change, moved
from sparring.simulated.dynamics import DynamicsChannel, dynamics_channel
from sparring.simulated.spaces import Box, Discrete, Space
from sparring.timing import Timing

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["ActionChannel", "Channel", "DynamicsChannel", "ObservationChannel", "channels_of", "shown_space"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class ObservationChannel(Channel):
    """Changes what the victim sees within a ball.

    A budget charged by size is the ball's radius. A mixing budget is the probability with which the attacker may act at
    a step, within a ball of radius 1, whose scale says how far that is.
    """

    access: ObservationAccess
    normalised: bool
    """Whether it works on what the victim's network sees, after the victim's own normalisation."""

    @property
    def tosses(self) -> bool:
        """Where a share of the steps is open."""
        return self.timing.share < 1

    @property
    def mixes(self) -> bool:
        """Whether the budget is a probability."""
        return self.part.budget.kind.charge is Charge.MIX

    @property
    def radius(self) -> float:
        """Of the ball."""
        return 1.0 if self.mixes else super().radius

    @property
    def counts(self) -> bool:
        """Where a number of steps is open."""
        return self.timing.most is not None

    @cached_property
    def timing(self) -> Timing:
        """On which steps it is open, by the access and by the budget."""
        own = self.access.timing
        return replace(own, share=own.share * self.part.budget.value) if self.mixes else own

    def apply(self, target: Array, proposal: Array, coin: Floats, used: NDArray[np.int64]) -> Array:
        """Add the change that the budget allows."""
        ball = self.access.ball
        assert ball is not None
        change = bounded_change(proposal.reshape(target.shape), ball, self.radius, self.who)
        timing = self.timing
        if not timing.always:
            change = np.where(beside(timing.open(coin, used), change), change, 0.0)
        return moved(target, change, ball.low, ball.high)

    def shown_space(self, truth: Box) -> Box:
        """Where what the victim sees may lie; whole numbers become float64."""
        ball = self.access.ball
        assert ball is not None
        reach = self.radius * (np.ones(truth.shape) if ball.scale is None else ball.scale)
        low, high = truth.low - reach, truth.high + reach
        if ball.low is not None:
            low = np.maximum(low, np.minimum(ball.low, truth.low))
        if ball.high is not None:
            high = np.minimum(high, np.maximum(ball.high, truth.high))
        kind = np.dtype(truth.dtype) if np.dtype(truth.dtype).kind == "f" else np.dtype(np.float64)
        return Box(low, high, kind.name)


@dataclass(frozen=True, eq=False)
class ActionChannel(Channel):
    """Replaces the victim's action (PR-MDP), mixes it with another (NR-MDP), or changes it within a ball."""

    access: ActionAccess
    space: Box | Discrete

    @property
    def tosses(self) -> bool:
        """Where actions are replaced."""
        return self.access.ball is None and self.access.mode == "replace"

    def wanted(self, proposal: Array) -> Array:
        """The actions that proposals stand for: of a box the limits at -1 and 1, of choices the greatest number."""
        if isinstance(self.space, Discrete):
            return np.asarray(np.argmax(proposal, axis=1))
        share = (np.clip(proposal.reshape(-1, *self.space.shape), -1, 1) + 1) / 2
        low, high = self.space.low, self.space.high
        return np.asarray(np.clip(low + share * (high - low), low, high))

    def apply(self, target: Array, proposal: Array, coin: Floats, used: NDArray[np.int64]) -> Array:
        """Put the attacker's part in; actions of the victim's own stay as they are, clipped by nobody."""
        if not np.isfinite(proposal).all():
            raise RequestError(f"{self.who}: proposes something that is not a number")
        if self.access.ball is not None:
            ball = self.access.ball
            change = bounded_change(proposal.reshape(target.shape), ball, self.radius, self.who)
            return moved(target, change, ball.low, ball.high)
        if self.access.mode == "replace":
            return np.where(beside(coin < self.radius, target), self.wanted(proposal).astype(target.dtype), target)
        mixed = (1 - self.radius) * target.astype(np.float64) + self.radius * self.wanted(proposal)
        return np.asarray(mixed.astype(target.dtype))


def channels_of(game: SimulatedGame, charged: Sequence[ChargedAccess]) -> tuple[Channel, ...]:
    """The channels of an attack on a game, those of budget 0 among them.

    Raises:
        RefusedError: this form cannot be touched in that way, or twice in the same way.
    """
    found = tuple(_channel(game, part) for part in charged)
    touched = [name for channel in found for name in _touched(channel)]
    if len(set(touched)) < len(touched):
        names = " with ".join(part.threat for part in charged)
        raise RefusedError(f"{names} on {game.spec}: touches the same thing twice; give one threat a larger budget")
    return found


def shown_space(truth: Space, channels: Sequence[Channel]) -> Space:
    """Where what the victim sees may lie, as these channels change it."""
    for channel in channels:
        if isinstance(channel, ObservationChannel) and not channel.part.budget.zero and isinstance(truth, Box):
            return channel.shown_space(truth)
    return truth


def _touched(channel: Channel) -> list[str]:
    """Names of what a channel changes."""
    if isinstance(channel, DynamicsChannel):
        return [knob.name for knob in channel.knobs]
    return [type(channel).__name__]


def _channel(game: SimulatedGame, part: ChargedAccess) -> Channel:
    access, charge = part.access, part.budget.kind.charge
    if isinstance(access, ObservationAccess) and access.ball is not None:
        return _observation(game, part, access)
    if isinstance(access, ActionAccess) and access.allowed is None:
        fits = charge is (Charge.MIX if access.ball is None else Charge.SIZE)
        if fits:
            return _action(game, part, access)
    if isinstance(access, DynamicsAccess) and access.transition is None and charge is Charge.SIZE:
        return dynamics_channel(game, part, access)
    raise RefusedError(
        f"{part.threat} on {game.spec}: a {type(access).__name__} charged by {part.budget.kind.name} has no meaning on "
        f"the {game.form} form"
    )


def _observation(game: SimulatedGame, part: ChargedAccess, access: ObservationAccess) -> ObservationChannel:
    if isinstance(game.observation, Discrete):
        raise RefusedError(f"{part.threat} on {game.spec}: observations are {game.observation}, which have no distance")
    assert access.ball is not None
    _check_shape(game, part, access.ball.scale, game.observation.shape, "observations")
    _check_space(game, part, access.ball, game.observation)
    width, ball = int(np.prod(game.observation.shape)), _kept(access.ball)
    return ObservationChannel(part, width, replace(access, ball=ball), ball.space == "normalised")


def _check_space(game: SimulatedGame, part: ChargedAccess, ball: Ball, space: Box) -> None:
    """Refuse a radius that was meant for numbers of another size.

    Raises:
        RequestError: it reaches beyond the whole range of every feature.
    """
    if ball.space != "raw" or ball.norm != "inf" or part.budget.kind.charge is not Charge.SIZE or not space.bounded:
        return
    reach = part.budget.value * (np.ones(space.shape) if ball.scale is None else ball.scale)
    if (reach > space.high - space.low).all():
        raise RequestError(
            f"{part.threat} on {game.spec}: changes of up to {reach.min():g} are more than the whole range of every "
            f"feature (from {space.low.min():g} to {space.high.max():g}), as if the radius were of another space"
        )


def _action(game: SimulatedGame, part: ChargedAccess, access: ActionAccess) -> ActionChannel:
    space = game.action
    if isinstance(space, Discrete):
        if access.ball is not None or access.mode == "mix":
            raise RefusedError(
                f"{part.threat} on {game.spec}: actions are {space} and cannot be mixed; use mode=replace"
            )
        return ActionChannel(part, space.count, access, space)
    if access.ball is None and not space.bounded:
        raise RefusedError(f"{part.threat} on {game.spec}: actions have no limits within which the attacker could act")
    if access.ball is not None:
        _check_shape(game, part, access.ball.scale, space.shape, "actions")
        access = replace(access, ball=_kept(access.ball))
    return ActionChannel(part, int(np.prod(space.shape)), access, space)


def _kept(ball: Ball) -> Ball:
    """The ball with arrays of its own, since attackers are shown it and threats may go on using theirs."""
    scale, low, high = (None if array is None else frozen(array) for array in (ball.scale, ball.low, ball.high))
    return replace(ball, scale=scale, low=low, high=high)


def _check_shape(
    game: SimulatedGame, part: ChargedAccess, scale: Floats | None, shape: tuple[int, ...], what: str
) -> None:
    if scale is not None and (scale.shape != shape or not np.isfinite(scale).all() or not (scale >= 0).all()):
        raise RequestError(
            f"{part.threat} on {game.spec}: a scale of shape {list(scale.shape)}, {what} have {list(shape)}, "
            "each 0 or more"
        )
