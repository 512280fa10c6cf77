"""How large a tree is, from a few random histories: what no time suffices for can be refused at once."""

from __future__ import annotations

import random
from typing import Any

__all__ = ["MANY", "seems_endless"]

MANY = 1e11
"""Histories that take days to visit."""
_PROBES = 30
_LONGEST = 4096
_DOUBT = 1000.0


def seems_endless(game: Any) -> bool:
    """Whether there are more than `MANY` histories, almost certainly.

    A random history that had n1, n2, ... moves to choose from stands for 1 + n1 + n1 n2 + ... histories: over all
    random histories that is the tree's size on average (Knuth 1975, "Estimating the efficiency of backtrack
    programs"). An average of `_DOUBT` times as many is as rare as 1 in `_DOUBT` (Markov's inequality), so only
    estimates that far beyond `MANY` are believed.
    """
    rng, total = random.Random(0), 0.0
    for _ in range(_PROBES):
        state, width = game.new_initial_state(), 1.0
        for _ in range(_LONGEST):
            total += width
            if total > _DOUBT * MANY * _PROBES:
                return True
            if state.is_terminal():
                break
            moves = state.legal_actions()
            width *= len(moves)
            state.apply_action(rng.choice(moves))
    return False
