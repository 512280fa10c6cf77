"""An adversary that somebody trained, as an oracle: any policy spec may stand where an oracle's does."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from sparring.attack_game import AttackGame, Effort, Side
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.policy import Policy
from sparring.policy_specs import load_policy
from sparring.registry import Registry
from sparring.specs import parse

__all__ = ["GivenAttacker", "loader_of", "oracle_of"]


class GivenAttacker(Oracle):
    """A policy from a spec such as `file:PATH`; what it proposes is charged like anybody's.

    It sees what the victim would see without attack, and answers with numbers from -1 to 1 in units of the budget, or
    with one of the victim's choices.
    """

    name: ClassVar[str] = "given"
    summary: ClassVar[str] = "an adversary that a policy loader reads"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})

    def __init__(self, spec: str, registry: Registry) -> None:
        """Attack with the policy of that spec."""
        super().__init__()
        self._spec, self._registry = spec, registry

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Load it."""
        found = load_policy(self._spec, duel.game, duel.victim_player, registry=self._registry)
        return Finding(duel.check_policy(found, Side.ATTACKER))


def loader_of(text: str, registry: Registry) -> str | None:
    """The policy loader that an oracle's spec names, or None where it names an oracle."""
    family = parse(text).family
    return family if family is not None and family in registry.names("policy-loader") else None


def oracle_of(text: str, registry: Registry) -> Oracle:
    """Make an oracle from its spec, or from that of a policy that attacks.

    Raises:
        RequestError: no such oracle, or an option that it does not have.
    """
    if loader_of(text, registry) is not None:
        return GivenAttacker(text, registry)
    made = registry.create("oracle", text)
    assert isinstance(made, Oracle)
    return made
