"""The kit's simulated attack games: which worlds, what is touched in them, and who is attacked there."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from functools import partial

import numpy as np

from sparring.access import Access, ActionAccess, Ball, ChargedAccess, ObservationAccess
from sparring.attack_game import AttackGame, Effort
from sparring.budgets import LP_RADIUS, MIXING_PROBABILITY, Budget
from sparring.policy import Policy
from sparring.simulated.spaces import Discrete
from sparring.testing.drifting import DriftGame, drift_choices, drift_push, drift_still
from sparring.testing.pilots import Pilot, TorchPilot
from sparring.testing.pixels import SHAPE, WHITE, Gazer, PixelGame, TorchGazer, drift_pixels

__all__ = ["EFFORT", "WORLDS", "pilot_for", "sampled_stages"]

EFFORT = Effort(steps=64)
"""How much work what learns may take in the kit."""
WORLDS: tuple[Callable[[], DriftGame], ...] = (drift_push, drift_choices)
"""Makers of the kit's simulated games, of which any policy may be asked for."""
Maker = Callable[[], DriftGame]


def pilot_for(game: DriftGame, *, torch: bool = False, noise: float = 0.0, memory: float = 0.0) -> Pilot:
    """A victim for a game of the kit; with torch where it is asked for and installed."""
    able = torch and importlib.util.find_spec("torch") is not None
    plain, network = (Gazer, TorchGazer) if isinstance(game, PixelGame) else (Pilot, TorchPilot)
    outputs = game.action.count if isinstance(game.action, Discrete) else 2
    return (network if able else plain)(outputs, noise, memory)


def sampled_stages() -> list[tuple[str, Callable[[], AttackGame], Callable[[AttackGame], Policy]]]:
    """Label, maker of the attack game, and maker of the victim of each stage."""
    raw, behind = Ball("inf", scale=np.array([1.0, 0.5, 2.0])), Ball("2", space="normalised")
    pixels = Ball("inf", low=np.zeros(SHAPE), high=np.full(SHAPE, WHITE))
    seen, within = (ObservationAccess(ball=raw), LP_RADIUS.budget(0.4)), LP_RADIUS.budget(0.5)
    replaced = (ActionAccess(), MIXING_PROBABILITY.budget(0.4))
    return [
        _stage("observation", drift_push, [seen], torch=True),
        _stage("normalised observation", drift_still, [(ObservationAccess(ball=behind), within)], torch=True),
        _stage("action", drift_push, [replaced], noise=0.2, memory=0.5),
        _stage("action mixed", drift_push, [(ActionAccess("mix"), replaced[1])], torch=True, noise=0.1),
        _stage("observation and action", drift_choices, [seen, replaced], torch=True, noise=1.0),
        _stage("observation", drift_choices, [seen], torch=True),
        _stage("observation", drift_pixels, [(ObservationAccess(ball=pixels), LP_RADIUS.budget(24.0))], torch=True),
    ]


def _stage(
    what: str, maker: Maker, touched: list[tuple[Access, Budget]], *, torch: bool = False, noise: float = 0.0,
    memory: float = 0.0,
) -> tuple[str, Callable[[], AttackGame], Callable[[AttackGame], Policy]]:  # fmt: skip
    charged = [ChargedAccess(access, budget, "kit") for access, budget in touched]

    def make() -> AttackGame:
        return maker().attack_game(charged, None)

    return f"{maker().spec}, {what}", make, partial(_victim, torch=torch, noise=noise, memory=memory)


def _victim(duel: AttackGame, *, torch: bool, noise: float, memory: float) -> Policy:
    assert isinstance(duel.game, DriftGame)
    return pilot_for(duel.game, torch=torch, noise=noise, memory=memory)
