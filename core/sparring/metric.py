"""Metrics: anything else measured of an attack."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sparring.attack_game import AttackGame, Operation
from sparring.plugin import Plugin
from sparring.policy import Ability, Policy

__all__ = ["Measured", "Metric", "Scored"]

Measured = float | int | str | bool | None | list["Measured"] | dict[str, "Measured"]
"""What a metric may report: JSON values."""


@dataclass(frozen=True)
class Scored:
    """An attacker as the core scored it."""

    oracle: str
    attacker: Policy
    value: float


class Metric(Plugin):
    """Measures something of a victim and the attackers found."""

    kind: ClassVar[str] = "metric"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset()
    """Abilities of the victim and operations of the attack game without which it cannot work."""

    @abstractmethod
    def measure(
        self, duel: AttackGame, victim: Policy, attacks: Sequence[Scored], rng: np.random.Generator
    ) -> Mapping[str, Measured]:
        """Measure it; keys are the names of the figures."""
