"""Certificates under observation attack, as far as `sparring.certificates` has what fits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.acting import HasDeviation, HasModule
from sparring.bounds import BoundBackend
from sparring.certificate import Certificate
from sparring.errors import RefusedError
from sparring.policy import Ability, Policy
from sparring.simulated.channels import ObservationChannel
from sparring.simulated.contest import Table, inner_of, seen_by
from sparring.simulated.single import SingleEpisode
from sparring.simulated.spaces import Discrete

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["certified"]

SEEDS = 3
"""Episodes that a certificate of returns speaks of, where nothing else is asked for; each may take a long search."""
BRANCHING = 1_000
"""Simulator steps of the search for each seed of a recurrent victim, whose state is bounded anew at every one."""
ROLLOUTS = 20
"""Episodes whose actions are bounded, where nothing else is asked for."""


def certified(
    duel: SimulatedAttackGame, victim: Policy, backend: BoundBackend, *, episodes: int | None, seed: int
) -> Certificate:
    """What can be proved for a list of seeds.

    Of a greedy victim of discrete actions the least return (`certify_return`), a recurrent one's state carried as a
    region; where actions are vectors, of whose return nothing is proved, how far an attack of one step can move them at
    the states of rollouts without attack (`action_change`). What cannot be proved is unknown, and the facts say why.

    Raises:
        RefusedError: the attack is none of observations alone.
    """
    from sparring.streams import stream

    discrete = isinstance(duel.game.action, Discrete)
    channel = _channel(duel, backend)
    count = (SEEDS if discrete else ROLLOUTS) if episodes is None else episodes
    seeds = sorted({int(each) for each in stream(seed, "certify").integers(2**31, size=count)})
    found = (_returns if discrete else _changes)(duel, channel, victim, backend, seeds)
    attack = {"norm": _ball(channel).norm, "radius": channel.radius,
              "space": "normalised" if channel.normalised else "raw"}  # fmt: skip
    return replace(found, facts={**found.facts, "attack": attack})


def _returns(
    duel: SimulatedAttackGame, channel: ObservationChannel, victim: Policy, backend: BoundBackend, seeds: list[int]
) -> Certificate:
    """The least return, of the victim as it acts in the space that the budget is measured in."""
    from sparring.certificates.limits import SearchLimits
    from sparring.certificates.returns import certify_return

    inner, world = inner_of(victim, duel.channels), duel.game.world(1)
    limits = SearchLimits(branching=BRANCHING if Ability.RECURRENT in inner.abilities else None)
    simulator = SingleEpisode(world, lambda observations: seen_by(victim, observations, duel.channels))
    try:
        return certify_return(inner, simulator, _ball(channel), channel.radius, seeds, backend, limits=limits)
    finally:
        world.close()


def _changes(
    duel: SimulatedAttackGame, channel: ObservationChannel, victim: Policy, backend: BoundBackend, seeds: list[int]
) -> Certificate:
    """How far each action can be moved, in the space that the budget is measured in."""
    from sparring.certificates.changes import action_change
    from sparring.certificates.victims import stepping

    inner, first = inner_of(victim, duel.channels), None
    if Ability.RECURRENT in inner.abilities:
        try:
            module, first = stepping(inner)
        except RefusedError as error:
            return Certificate(backend.name, None, over=tuple(seeds), facts={"unknown": str(error)})
    elif isinstance(inner, HasModule):
        module = inner.module()
    else:
        raise RefusedError(f"bounds {backend.name}: {type(inner).__name__} declares no network (ability module)")
    visited, states = _visited(duel, victim, seeds, module, first)
    deviation = inner.deviation if isinstance(inner, HasDeviation) else None
    found = action_change(module, visited, _ball(channel), channel.radius, backend, deviation=deviation, states=states)
    return Certificate(backend.name, None, over=tuple(seeds), facts={"action_change": found.facts()})


def _visited(
    duel: SimulatedAttackGame, victim: Policy, seeds: list[int], module: nn.Module, first: Tensor | None
) -> tuple[NDArray[Any], Tensor | None]:
    """What the victim sees without attack, in the space of the budget, at all steps of some episodes, [states, ...].

    Beside it the states, [states, width], that one step of a recurrent network had then; None where it has no `first`.
    """
    import torch

    world = duel.game.world(min(duel.batch, len(seeds)))
    table, found, remembered = Table(world, victim, None, duel.channels, duel.game.action), [], []
    try:
        for start in range(0, len(seeds), world.size):
            batch = seeds[start : start + world.size]
            table.begin(batch)
            running = np.ones(len(batch), dtype=np.bool_)
            state = None if first is None else first.repeat(len(batch), 1)
            while running.any():
                seen = seen_by(victim, world.observations, duel.channels)
                found.append(seen[running])
                if state is not None:
                    remembered.append(state[torch.from_numpy(running)])
                    with torch.no_grad():
                        _, state = module(torch.tensor(seen).to(state), state)
                running = ~table.step().finished
    finally:
        world.close()
    return np.concatenate(found), torch.cat(remembered) if remembered else None


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
