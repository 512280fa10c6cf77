"""What an attack costs the victim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame
from sparring.errors import RefusedError
from sparring.metric import Measured, Metric, Scored
from sparring.policy import Policy


class TemplateNameMetric(Metric):
    """The victim's return without attack less its return under each attacker."""

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "the return that each attacker takes from the victim"
    source: ClassVar[str] = ""  # the paper and definition that you follow
    interface: ClassVar[int] = 1

    def measure(
        self, duel: AttackGame, victim: Policy, attacks: Sequence[Scored], rng: np.random.Generator
    ) -> Mapping[str, Measured]:
        """The loss under each attacker, by oracle."""
        if not duel.has_nominal:
            raise RefusedError(f"metric {self.name} on {duel.game.spec}: nothing is known without attack; give benign")
        nominal = float(duel.measure(victim, None, rng))
        return {attack.oracle: nominal - attack.value for attack in attacks}


@hookimpl
def sparring_metrics() -> list[type[Metric]]:
    """Give `template-name`."""
    return [TemplateNameMetric]
