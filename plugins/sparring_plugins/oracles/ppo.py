"""The learned attacker: an agent of its own, trained against the victim by reinforcement."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Side
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring_plugins.networks.engine import engine
from sparring_plugins.oracles._learning_options import LearningOptions


class PpoOracle(Oracle):
    """Trains an adversary with PPO in the attacker's view and keeps the best of its iterates.

    The victim is a black box: the adversary sees what the victim would see, and learns from the returns alone.
    """

    name: ClassVar[str] = "ppo"
    summary: ClassVar[str] = "an adversary trained against the victim by reinforcement"
    source: ClassVar[str] = "thesis, section 6.5.2.1, lemma 6.2.7 and section 6.7.4; Schulman et al. 2017"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    Options: ClassVar[type[PluginOptions]] = LearningOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Train, and hand over the attacker that did most harm on seeds kept for choosing it."""
        engine("oracle ppo")
        from sparring_plugins.oracles._learning import learned
        from sparring_plugins.oracles._learning_training import Training

        if not isinstance(duel, SimulatedAttackGame):
            raise RefusedError(f"oracle ppo on {duel.game.spec}: needs the core's attack game of the simulated form")
        duel.require("respond:attacker", Side.ATTACKER in duel.can.response)
        return learned(Training, duel, victim, self.options, effort, rng)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `ppo`."""
    return [PpoOracle]
