"""Oracles: they look for the attacker that hurts a fixed victim most."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from sparring.attack_game import AttackGame, Effort, Operation
from sparring.plugin import Plugin
from sparring.policy import Ability, Policy

__all__ = ["Finding", "Oracle"]


@dataclass(frozen=True)
class Finding:
    """What an oracle found. It is a proposal: the core deploys it within the budget and scores it."""

    attacker: Policy
    claimed: float | None = None
    """The victim's return that the oracle says its attacker reaches; checked where values are exact."""
    steps: int = 0
    """Simulator steps, or passes over the game's arrays, spent."""
    warnings: tuple[str, ...] = ()


class Oracle(Plugin):
    """Finds an attacker for a fixed victim."""

    kind: ClassVar[str] = "oracle"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset()
    """Abilities of the victim and operations of the attack game without which it cannot work."""

    @abstractmethod
    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Find an attacker.

        Raises:
            RefusedError: this attack game or victim does not allow it.
        """
