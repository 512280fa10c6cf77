"""Projected ascent in units of the budget, on exactly what the victim would be shown; imported only where torch is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.errors import RefusedError
from sparring.projection import project_ball
from sparring.simulated.attackers import AttackView
from sparring.simulated.chance import Chance
from sparring.simulated.channels import ObservationChannel
from sparring.simulated.charging import bounded_change, moved
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._objectives import Goal, goal_of

__all__ = ["Climb", "Slope", "ascend"]

Floats = NDArray[np.float64]
Array = NDArray[Any]
WARMTH = 0.05
"""Noise in units of the gradient's mean size, where no temperature is asked for."""


@dataclass(frozen=True, eq=False)
class Climb:
    """Where an ascent ended."""

    proposals: Floats
    """For all channels, those that are no observations left at 0, [batch, width]."""
    heights: Floats
    """Of the objective after each start, [starts, batch]."""


class Slope:
    """An objective as a function of the change in units of the budget."""

    def __init__(self, goal: Goal, view: AttackView) -> None:
        """Look at what one batch of episodes shows.

        Raises:
            RefusedError: the attack does not touch what the victim sees.
        """
        self.channel, self.place = _observation(view)
        self.seen = view.seen
        self.goal = goal
        shape = view.seen.shape
        self.width = int(np.prod(shape[1:]))
        scale = np.ones(self.width) if self.ball.scale is None else self.ball.scale.reshape(-1)
        self.unit: Floats = scale * self.channel.radius
        """Length of one unit of the budget in each feature, [width]."""

    @property
    def ball(self) -> Ball:
        """What may be changed."""
        assert self.channel.access.ball is not None
        return self.channel.access.ball

    def shown(self, units: Floats) -> Array:
        """What the victim is shown, [batch, *observation]."""
        change = bounded_change(units.reshape(self.seen.shape), self.ball, self.channel.radius, self.channel.who)
        return moved(self.seen, change, self.ball.low, self.ball.high)

    def height(self, units: Floats) -> Floats:
        """The objective, [batch]."""
        return self.goal.height(self.shown(units))

    def gradient(self, units: Floats) -> Floats:
        """Of the objective in what is shown, [batch, width]."""
        return self.goal.gradient(self.shown(units)).reshape(len(units), self.width)

    def uphill(self, gradient: Floats) -> Floats:
        """The steepest direction of length 1 in the ball's norm, [batch, width]; 0 where the gradient is 0."""
        slope = gradient * self.unit
        if self.ball.norm == "inf":
            return np.asarray(np.sign(slope))
        if self.ball.norm == "2":
            length = np.linalg.norm(slope, axis=1, keepdims=True)
            return slope / np.where(length > 0, length, 1.0)
        steepest = np.abs(slope).argmax(axis=1)
        rows = np.arange(len(slope))
        direction = np.zeros_like(slope)
        direction[rows, steepest] = np.sign(slope[rows, steepest])
        return direction


def ascend(attacker: GradientAttacker, view: AttackView, rng: Chance, goal: Goal | None = None) -> Climb:
    """Climb from each start, and keep the highest end of each episode.

    Args:
        attacker: the settings.
        view: what it is shown.
        rng: starts and noise, a stream for each episode.
        goal: what is raised; the attacker's objective where none is given.
    """
    slope = Slope(goal_of(attacker, view) if goal is None else goal, view)
    best, heights = _climbed(attacker, slope, rng), []
    if attacker.restarts > 1:
        heights.append(slope.height(best))
    for _ in range(attacker.restarts - 1):
        tried = _climbed(attacker, slope, rng)
        height = slope.height(tried)
        best = np.where((height > np.max(heights, axis=0))[:, None], tried, best)
        heights.append(height)
    proposals = np.zeros((len(best), view.width))
    proposals[:, slope.place] = best
    return Climb(proposals, np.array(heights))


def _climbed(attacker: GradientAttacker, slope: Slope, rng: Chance) -> Floats:
    batch, norm = len(slope.seen), slope.ball.norm
    units = np.zeros((batch, slope.width))
    if attacker.start == "random":
        units = project_ball(2 * np.asarray(rng.random((batch, slope.width))) - 1, 1.0, norm)
    velocity = np.zeros_like(units)
    for _ in range(attacker.steps):
        gradient = slope.gradient(units)
        if attacker.beta is not None:
            noise = np.asarray(rng.standard_normal(units.shape))
            gradient = gradient + _temperature(attacker.beta, attacker.rate * slope.unit, gradient) * noise
        if attacker.momentum:
            size = np.abs(gradient).sum(axis=1, keepdims=True)
            velocity = attacker.momentum * velocity + gradient / np.where(size > 0, size, 1.0)
            gradient = velocity
        units = project_ball(units + attacker.rate * slope.uphill(gradient), 1.0, norm)
    return units


def _temperature(beta: float, eta: Floats, gradient: Floats) -> Floats:
    """Size of the noise in algorithm 6.11, with `eta` the length of a step in the units of what is seen.

    A beta of 0 stands for one that makes it a small part of the gradient; at the true observation, where a divergence
    has none, noise alone leads on.
    """
    if beta > 0:
        return np.sqrt(2 / (beta * np.maximum(eta, np.finfo(np.float64).tiny)))
    size = np.abs(gradient).mean(axis=1, keepdims=True)
    return np.where(size > 0, WARMTH * size, 1.0)


def _observation(view: AttackView) -> tuple[ObservationChannel, slice]:
    at = 0
    for channel in view.channels:
        if isinstance(channel, ObservationChannel):
            return channel, slice(at, at + channel.width)
        at += channel.width
    raise RefusedError("gradients: this attack does not touch what the victim sees")
