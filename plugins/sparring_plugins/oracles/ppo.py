"""The learned attacker: an agent of its own, trained against the victim by reinforcement."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Side
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring_plugins.learners.settings import Recipe
from sparring_plugins.networks.engine import engine


class PpoOptions(Recipe):
    """Options of `ppo`: how much to train and how to keep it, and every setting of the learner."""

    steps: int = Field(
        500_000, ge=1, json_schema_extra=unit("simulator steps"), description="of training; an effort goes before it"
    )
    episodes: int = Field(16, ge=1, json_schema_extra=unit("episodes"), description="trained in side by side")
    starts: int = Field(
        1, ge=1, json_schema_extra=unit("networks"),
        description="untrained networks to try; training begins with the one that does most harm",
    )  # fmt: skip
    select_every: int = Field(
        0,
        ge=0,
        json_schema_extra=unit("simulator steps"),
        description="training between two scorings, of which the best attacker is kept; 0 for a twentieth of it all, "
        "or for as much as a scoring takes if that is more",
    )
    select_episodes: int = Field(10, ge=2, json_schema_extra=unit("episodes"), description="of each scoring")
    checkpoint: str = Field("", description="file to keep the training in, and to go on from where it exists")
    save: str = Field("", description="NAME of NAME.safetensors and NAME.json for the attacker, which `file:` reads")
    log: str = Field("", description="CSV file of every update")


class PpoOracle(Oracle):
    """Trains an adversary with PPO in the attacker's view and keeps the best of its iterates.

    The victim is a black box: the adversary sees what the victim would see, and learns from the returns alone.
    """

    name: ClassVar[str] = "ppo"
    summary: ClassVar[str] = "an adversary trained against the victim by reinforcement"
    source: ClassVar[str] = "thesis, section 6.5.2.1, lemma 6.2.7 and section 6.7.4; Schulman et al. 2017"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    Options: ClassVar[type[PluginOptions]] = PpoOptions

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Train, and hand over the attacker that did most harm on seeds kept for choosing it."""
        engine("oracle ppo")
        from sparring_plugins.oracles._learning import learned

        if not isinstance(duel, SimulatedAttackGame):
            raise RefusedError(f"oracle ppo on {duel.game.spec}: needs the core's attack game of the simulated form")
        duel.require("respond:attacker", Side.ATTACKER in duel.can.response)
        return learned(duel, victim, self.options, effort, rng)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `ppo`."""
    return [PpoOracle]
