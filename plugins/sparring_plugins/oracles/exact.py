"""The strongest attacker there is, where it can be computed."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Policy


class Exact(Oracle):
    """Best response: bottom-up on trees, policy iteration on Markov games, the best column of a matrix."""

    name: ClassVar[str] = "exact"
    summary: ClassVar[str] = "the attacker's exact best response"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Operation.EXACT_ATTACKER})
    source: ClassVar[str] = "Liu et al., Rethinking Adversarial Policies, definition 4.1; thesis, algorithm 6.4"

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """The best response itself, claiming the value that was computed with it."""
        state, value = duel.respond(Side.ATTACKER, victim, rng=rng)
        return Finding(duel.freeze(state), claimed=float(value), steps=value.steps)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `exact`."""
    return [Exact]
