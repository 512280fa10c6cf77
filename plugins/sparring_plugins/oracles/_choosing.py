"""Attackers measured on the same episodes, so that an oracle can keep the strongest of several."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sparring.attack_game import AttackGame, Effort
from sparring.errors import RefusedError
from sparring.exploitability import Estimate
from sparring.oracle import Finding, Oracle, Tried
from sparring.policy import Policy
from sparring.streams import stream

__all__ = ["Candidate", "Yardstick", "found_by", "strongest_of"]


@dataclass(frozen=True, eq=False)
class Candidate:
    """An attacker with what is known of it; no finding where it was refused."""

    tried: Tried
    finding: Finding | None


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Episodes for choosing: whoever is measured meets the same."""

    duel: AttackGame
    victim: Policy
    episodes: int
    seed: int

    def value(self, attacker: Policy | None) -> Estimate:
        """The victim's return."""
        return self.duel.measure(self.victim, attacker, stream(self.seed, "choose"), self.episodes)

    def candidate(self, oracle: str, find: Callable[[], Finding]) -> Candidate:
        """Let somebody find an attacker, and measure it; who refuses is noted.

        Args:
            oracle: its spec.
            find: finds the attacker.
        """
        began = time.perf_counter()
        try:
            finding = find()
        except RefusedError as error:
            return Candidate(Tried(oracle, None, seconds=time.perf_counter() - began, warnings=(str(error),)), None)
        value = self.value(finding.attacker)
        tried = Tried(
            oracle,
            float(value),
            value.ci95,
            value.episodes,
            finding.steps + value.steps,
            time.perf_counter() - began,
            finding.warnings,
        )
        return Candidate(tried, finding)


def found_by(
    oracle: Oracle, name: str, duel: AttackGame, victim: Policy, effort: Effort | None, rng: np.random.Generator
) -> Finding:
    """What an oracle finds.

    Raises:
        RefusedError: it needs another game or victim.
    """
    oracle.check_fit(duel, victim, name)
    return oracle.attack(duel, victim, effort=effort, rng=rng)


def strongest_of(candidates: Sequence[Candidate]) -> Candidate:
    """The one with the least return, the first of equals.

    Raises:
        RefusedError: all were refused; the line says why the first was.
    """
    found = [each for each in candidates if each.tried.value is not None]
    if not found:
        raise RefusedError(f"all {len(candidates)} refuse: {candidates[0].tried.warnings[0]}")
    return min(found, key=_return_of)


def _return_of(candidate: Candidate) -> float:
    assert candidate.tried.value is not None  # those without one are left out
    return candidate.tried.value
