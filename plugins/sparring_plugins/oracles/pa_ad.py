"""The learned attacker that reads its victim: it learns where the victim's action is to go."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Ability, Policy
from sparring_plugins.networks.engine import engine
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._gradient_oracle import attackable
from sparring_plugins.oracles._learning_options import LearningOptions


class PaAdOptions(LearningOptions):
    """Options of `pa-ad`: those of a learned attacker, and the actor's."""

    actor_steps: int = Field(
        1, ge=1, le=1000, description="steps along the victim's gradient that carry a direction out",
        json_schema_extra=unit("steps", searched=False),
    )  # fmt: skip


class PaAd(Oracle):
    """Trains a director with PPO, which chooses a direction of the victim's outputs at every step.

    An actor finds the change of what the victim sees that moves its outputs furthest in that direction, by gradients.
    The director has as many numbers to choose as the victim has, however many the victim sees; where the victim's
    gradients are of use, that learns much faster than `ppo`, which chooses the change itself.
    """

    name: ClassVar[str] = "pa-ad"
    summary: ClassVar[str] = "a direction for the victim's action, learned, and carried out by gradients"
    source: ClassVar[str] = "Sun, Zheng, Liang and Huang 2022, Who is the strongest enemy?, section 4"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Ability.DIFFERENTIABLE})
    Options: ClassVar[type[PluginOptions]] = PaAdOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Train, and hand over the attacker that did most harm on seeds kept for choosing it."""
        engine("oracle pa-ad")
        from sparring_plugins.oracles._directed_training import DirectedTraining
        from sparring_plugins.oracles._doubts import doubts_of
        from sparring_plugins.oracles._learning import learned

        game = attackable(duel, self.name)
        game.require("respond:attacker", Side.ATTACKER in game.can.response)
        looking = GradientAttacker("departure", self.options.actor_steps, 1.0)
        doubts, steps = doubts_of(looking, game, victim, rng)
        found = learned(DirectedTraining, game, victim, self.options, effort, rng)
        warnings = (*(f"oracle {self.name}: {told}" for told in doubts), *found.warnings)
        return Finding(found.attacker, steps=found.steps + steps, warnings=warnings)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `pa-ad`."""
    return [PaAd]
