"""Attackers of these oracles again from what their `to_document` gave."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sparring.attack_game import AttackGame, Side
from sparring.errors import RefusedError
from sparring.oracle import Oracle
from sparring.policy import Policy
from sparring_plugins.oracles._gradient_attacker import GradientAttacker

__all__ = ["WrittenDown"]


class WrittenDown(Oracle):
    """An oracle whose attackers climb gradients, are networks, or follow critics that it has trained."""

    def restore(self, document: Mapping[str, Any], duel: AttackGame) -> Policy:
        """The attacker of these settings.

        Raises:
            RefusedError: it follows a critic, which is found anew and not read back.
        """
        if document["kind"] == "critic-attacker":
            raise RefusedError(f"oracle {self.name}: its critics are learned anew, not made again from documents")
        if document["kind"] == "gradient-attacker":
            return GradientAttacker(**{name: value for name, value in document.items() if name != "kind"})
        return duel.restore(document, Side.ATTACKER)
