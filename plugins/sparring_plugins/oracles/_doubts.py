"""Whether a gradient attack can work on a victim, tried on states that it visits; imported only where torch is."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparring.attack_game import AttackGame
from sparring.errors import RefusedError
from sparring.oracle import Tried
from sparring.policy import Ability, Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.chance import EpisodeStreams
from sparring_plugins.oracles._ascent import Slope, ascend
from sparring_plugins.oracles._choosing import Yardstick
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._objectives import goal_of

__all__ = ["doubts_of", "no_stronger_than_noise", "simulated"]

EPISODES, STEPS = 4, 24
SMALL = 0.02
"""A step, in units of the budget, along which an objective with usable gradients rises."""
FLAT, SHATTERED = 0.5, 0.25
"""Shares of the states above which there is a warning. Usable gradients nearly always help along a small step, and
those that say nothing fail every other time."""


def simulated(duel: AttackGame, who: str) -> SimulatedAttackGame:
    """The attack game as one of the simulated form.

    Raises:
        RefusedError: it is none.
    """
    if not isinstance(duel, SimulatedAttackGame):
        raise RefusedError(f"oracle {who} on {duel.game.spec}: needs the core's attack game of the simulated form")
    return duel


def doubts_of(
    attacker: GradientAttacker, duel: SimulatedAttackGame, victim: Policy, rng: np.random.Generator
) -> tuple[tuple[str, ...], int]:
    """Warnings about this attack, and the simulator steps spent on finding them."""
    seeds = [int(seed) for seed in rng.integers(2**31, size=EPISODES)]
    chance = EpisodeStreams(seeds, "doubts")
    flat, stuck, helped, steps = [], [], [], 0
    for view in duel.views(victim, seeds, STEPS):
        slope = Slope(goal_of(attacker, view), view)
        start = 2 * chance.random((EPISODES, slope.width)) - 1
        start = start / 2 / np.maximum(1.0, _length(start, slope.ball.norm))[:, None]
        gradient = slope.gradient(start)
        usable = np.isfinite(gradient).all(axis=1) & (gradient != 0).any(axis=1)
        after = slope.height(start + SMALL * slope.uphill(np.where(usable[:, None], gradient, 0.0)))
        flat.append(~usable)
        stuck.append(usable & ~(after > slope.height(start)))
        if attacker.restarts > 1 and steps % (8 * EPISODES) == 0:
            heights = ascend(attacker, view, chance).heights
            helped.append(heights[1:].max(axis=0) > heights[0] * (1 + 1e-6) + 1e-12)
        steps += EPISODES
    found = [
        (FLAT, flat, "the gradient is zero or no number in {} of the states looked at"),
        (SHATTERED, stuck, "gradients are shattered: a small step along them does not help in {} of the states"),
    ]
    told = [words.format(f"{np.mean(marks):.0%}") for most, marks, words in found if np.mean(marks) > most]
    if helped and not np.any(helped):
        told.append(f"restarts stop improving: none of {attacker.restarts - 1} found a higher end than the first start")
    if Ability.DETERMINISTIC not in victim.abilities and attacker.objective != "divergence":
        told.append("the victim draws its actions, and is attacked as if it took the mean or the likeliest")
    return tuple(told), steps


def no_stronger_than_noise(yardstick: Yardstick, tried: Tried) -> tuple[tuple[str, ...], int]:
    """A warning where a learned attack does not beat noise on the episodes it was chosen on, and the steps spent."""
    noise = yardstick.value(RandomAttacker())
    if tried.value is None or tried.value < noise:
        return (), noise.steps
    told = f"what it learned is no stronger than noise: {tried.value:.4g} against {float(noise):.4g}"
    return (f"{told} on {yardstick.episodes} episodes",), noise.steps


def _length(units: NDArray[np.float64], norm: str) -> NDArray[np.float64]:
    return np.asarray(np.linalg.norm(units, ord=np.inf if norm == "inf" else int(norm), axis=1))
