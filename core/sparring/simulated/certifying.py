"""Certificates under observation attack, as far as `sparring.certificates` has what fits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.acting import HasDeviation, HasModule
from sparring.bounds import BoundBackend
from sparring.certificate import Certificate
from sparring.errors import RefusedError
from sparring.policy import Policy
from sparring.simulated.channels import ObservationChannel
from sparring.simulated.contest import Table, inner_of, seen_by
from sparring.simulated.single import SingleEpisode
from sparring.simulated.spaces import Discrete

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["certified"]

SEEDS = 3
"""Episodes that a certificate of returns speaks of, where nothing else is asked for; each may take a long search."""
ROLLOUTS = 20
"""Episodes whose actions are bounded, where nothing else is asked for."""


def certified(
    duel: SimulatedAttackGame, victim: Policy, backend: BoundBackend, *, episodes: int | None, seed: int
) -> Certificate:
    """What can be proved for a list of seeds.

    Of a greedy victim of discrete actions the least return (`certify_return`); where actions are vectors, of whose
    return nothing is proved, how far they can be moved at the states of rollouts without attack (`action_change`).

    Raises:
        RefusedError: the attack is none of observations alone, or, for returns, not one of raw observations.
    """
    from sparring.streams import stream

    discrete = isinstance(duel.game.action, Discrete)
    channel = _channel(duel, backend)
    count = (SEEDS if discrete else ROLLOUTS) if episodes is None else episodes
    seeds = sorted({int(each) for each in stream(seed, "certify").integers(2**31, size=count)})
    if not discrete:
        return _change(duel, channel, victim, backend, seeds)
    from sparring.certificates.returns import certify_return

    if channel.normalised:
        raise RefusedError(
            f"bounds {backend.name} on {duel.game.spec}: measures the budget before normalisation; use space=raw"
        )
    world = duel.game.world(1)
    try:
        return certify_return(victim, SingleEpisode(world), _ball(channel), channel.radius, seeds, backend)
    finally:
        world.close()


def _change(
    duel: SimulatedAttackGame, channel: ObservationChannel, victim: Policy, backend: BoundBackend, seeds: list[int]
) -> Certificate:
    """How far each action can be moved, in the space that the budget is measured in."""
    from sparring.certificates.changes import action_change

    inner = inner_of(victim, duel.channels)
    if not isinstance(inner, HasModule):
        raise RefusedError(f"bounds {backend.name}: {type(inner).__name__} declares no network (ability module)")
    attack = {"norm": _ball(channel).norm, "radius": channel.radius,
              "space": "normalised" if channel.normalised else "raw"}  # fmt: skip
    deviation = inner.deviation if isinstance(inner, HasDeviation) else None
    found = action_change(
        inner.module(), _visited(duel, victim, seeds), _ball(channel), channel.radius, backend, deviation=deviation
    )
    return Certificate(backend.name, None, over=tuple(seeds), facts={"action_change": found.facts(), "attack": attack})


def _visited(duel: SimulatedAttackGame, victim: Policy, seeds: list[int]) -> NDArray[Any]:
    """What the victim sees without attack, in the space of the budget, at all steps of some episodes, [states, ...]."""
    world = duel.game.world(min(duel.batch, len(seeds)))
    table, found = Table(world, victim, None, duel.channels, duel.game.action), []
    try:
        for start in range(0, len(seeds), world.size):
            batch = seeds[start : start + world.size]
            table.begin(batch)
            running = np.ones(len(batch), dtype=np.bool_)
            while running.any():
                found.append(seen_by(victim, world.observations[running], duel.channels))
                running = ~table.step().finished
    finally:
        world.close()
    return np.concatenate(found)


def _channel(duel: SimulatedAttackGame, backend: BoundBackend) -> ObservationChannel:
    only = duel.channels[0]
    if len(duel.channels) != 1 or not isinstance(only, ObservationChannel):
        raise RefusedError(
            f"bounds {backend.name} on {duel.game.spec}: certificates speak of observation attacks alone"
        )
    return only


def _ball(channel: ObservationChannel) -> Ball:
    """The ball as one of the space in which it is measured."""
    ball = channel.access.ball
    assert ball is not None
    return Ball(ball.norm, np.asarray(ball.scale) if ball.scale is not None else None, ball.low, ball.high)
