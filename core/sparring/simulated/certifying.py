"""Certificates of a victim's return under observation attack, as far as `sparring.certificates` has what fits."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificate import Certificate
from sparring.errors import RefusedError
from sparring.policy import Policy
from sparring.simulated.channels import ObservationChannel
from sparring.simulated.single import SingleEpisode
from sparring.simulated.spaces import Discrete

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["certified"]

SEEDS = 3
"""Episodes that a certificate speaks of, where nothing else is asked for; each may take a long search."""


def certified(
    duel: SimulatedAttackGame, victim: Policy, backend: BoundBackend, *, episodes: int | None, seed: int
) -> Certificate:
    """The least return of a greedy victim of discrete actions, for a list of seeds (`certify_return`).

    Raises:
        RefusedError: the attack is no single observation attack of raw observations on every step, or actions are
            vectors, of whose return nothing is proved.
    """
    from sparring.certificates.returns import certify_return
    from sparring.streams import stream

    ball = _ball(duel, backend)
    count = SEEDS if episodes is None else episodes
    seeds = sorted({int(each) for each in stream(seed, "certify").integers(2**31, size=count)})
    world = duel.game.world(1)
    try:
        return certify_return(victim, SingleEpisode(world), ball, duel.channels[0].radius, seeds, backend)
    finally:
        world.close()


def _ball(duel: SimulatedAttackGame, backend: BoundBackend) -> Ball:
    where = f"bounds {backend.name} on {duel.game.spec}"
    only = duel.channels[0]
    if len(duel.channels) != 1 or not isinstance(only, ObservationChannel):
        raise RefusedError(f"{where}: certificates speak of observation attacks alone")
    if not isinstance(duel.game.action, Discrete):
        raise RefusedError(f"{where}: nothing is proved of returns where actions are vectors, only of their change")
    ball = only.access.ball
    assert ball is not None
    if ball.space != "raw":
        raise RefusedError(f"{where}: measures the budget before normalisation; use space=raw")
    return Ball(ball.norm, np.asarray(ball.scale) if ball.scale is not None else None, ball.low, ball.high)
