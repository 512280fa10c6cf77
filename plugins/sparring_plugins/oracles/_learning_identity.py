"""What a trained attacker was trained against."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from sparring.errors import RefusedError
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["facts_of", "identity"]


def facts_of(duel: SimulatedAttackGame) -> dict[str, Any]:
    """What the description of an attacker says: game and threats; budgets are what it was trained at."""
    threats = [
        {"name": part.threat, "options": dict(part.options), "budget": part.budget.value} for part in duel.charged
    ]
    return {"trained_in": duel.game.spec, "threats": threats}


def identity(
    duel: SimulatedAttackGame, victim: Policy, starts: Sequence[int], seeds: Sequence[int], annealed_to: int | None
) -> dict[str, Any]:
    """What must be the same for a training to go on; the learner's settings are compared by the learner."""
    told = facts_of(duel)
    return {
        "game": told["trained_in"],
        "threats": told["threats"],
        "victim": _fingerprint(victim),
        "seed": [[*starts], [*seeds]],
        "number of steps": annealed_to,
    }


def _fingerprint(victim: Policy) -> str | None:
    """Of its document; None for one that has none, which is then not compared."""
    try:
        document = victim.to_document()
    except RefusedError:
        return None
    return hashlib.blake2b(json.dumps(document, sort_keys=True).encode(), digest_size=16).hexdigest()
