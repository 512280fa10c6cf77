"""Attackers that climb by a critic which was learned of the victim; imported only where torch is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, Self

import numpy as np

from sparring.policy import Policy
from sparring.simulated.attack_game import SEEDS, SimulatedAttackGame
from sparring.simulated.chance import EpisodeStreams
from sparring.streams import stream
from sparring_plugins.critics.critic import LearnedCritic
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._sarsa_options import SarsaOptions

__all__ = ["CriticAttacker", "critic_attacker", "in_units"]

EPISODES, STEPS = 4, 50
"""On which the units are measured."""


@dataclass(frozen=True)
class CriticAttacker(GradientAttacker):
    """Raises `mix * -Q(s, pi(s_hat)) + (1 - mix) * KL(pi(.|s) || pi(.|s_hat))`, each in units of its own size."""

    critic: LearnedCritic | None = None
    mix: float = 1.0
    """Weight of the critic."""
    critic_unit: float = 1.0
    """What noise of full size changes the critic's scaled value by, on states that the victim visits."""
    divergence_unit: float = 1.0
    """The divergence that noise of full size makes there."""

    def to_document(self) -> dict[str, Any]:
        """All settings, and the critic's numbers."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "critic"}
        return {"kind": "critic-attacker", **told, "critic": None if self.critic is None else self.critic.to_document()}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The attacker of what `to_document` gave, bit for bit."""
        critic = document["critic"]
        return super().of_document(
            {**document, "critic": None if critic is None else LearnedCritic.of_document(critic)}
        )


def critic_attacker(options: SarsaOptions, critic: LearnedCritic) -> CriticAttacker:
    """Steps by the critic alone: from the true observation, and from noise where there are restarts."""
    return CriticAttacker(
        "learned-critic",
        options.steps,
        options.rate or 1 / options.steps,
        options.restarts,
        start="centre" if options.restarts == 1 else "random",
        beta=0.0 if options.noise == "langevin" else None,
        critic=critic,
    )


def in_units(attacker: CriticAttacker, duel: SimulatedAttackGame, victim: Policy, seed: int) -> CriticAttacker:
    """The attacker with both units measured: the mean change that noise at the corners of the ball makes."""
    from sparring_plugins.oracles._ascent import Slope
    from sparring_plugins.oracles._objectives import goal_of

    seeds = [int(each) for each in stream(seed, "units").integers(SEEDS, size=EPISODES)]
    chance = EpisodeStreams(seeds, "units")
    alone = [replace(attacker, mix=1.0), replace(attacker, mix=0.0)]
    changes: list[list[float]] = [[], []]
    for view in duel.views(victim, seeds, STEPS):
        slopes = [Slope(goal_of(each, view), view) for each in alone]
        noise = np.where(chance.random((len(seeds), slopes[0].width)) < 0.5, -1.0, 1.0)
        for kept, slope in zip(changes, slopes, strict=True):
            kept.append(float(np.abs(slope.height(noise) - slope.height(np.zeros_like(noise))).mean()))
    critic_unit, divergence_unit = (float(np.mean(kept)) or 1.0 for kept in changes)
    return replace(attacker, critic_unit=critic_unit, divergence_unit=divergence_unit)
