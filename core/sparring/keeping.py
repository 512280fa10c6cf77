"""Attackers that oracles have found, kept in a folder, so that no search is made twice."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sparring.attack_game import AttackGame, Effort
from sparring.errors import SparringError
from sparring.files import write_text
from sparring.given_attacker import GivenAttacker
from sparring.journal import Journal, digest, document_of, versions
from sparring.oracle import Finding, Oracle, Search, Tried
from sparring.policy import Policy

__all__ = ["Keeper", "Sought"]

FOLDER = "attackers"


@dataclass(frozen=True)
class Sought:
    """What decides what an oracle finds."""

    duel: AttackGame
    victim: Policy
    spec: str
    oracle: Oracle
    effort: Effort | None
    seed: int

    def identity(self) -> str:
        """A fingerprint of it, versions included."""
        charged = [[part.threat, dict(part.options), part.budget.value] for part in self.duel.charged]
        options = self.oracle.options.model_dump(mode="json")
        effort = None if self.effort is None else asdict(self.effort)
        return digest(
            self.duel.game.spec, charged, document_of(self.victim), self.spec, self.oracle.name, options, effort,
            self.seed, versions(),
        )  # fmt: skip


class Keeper:
    """The findings of a folder. An attacker that cannot be written down is found anew, which gives the same one."""

    def __init__(self, journal: Journal) -> None:
        """Keep findings beside the episodes of a journal."""
        self.journal = journal
        self._folder = journal.folder / FOLDER

    def found(self, sought: Sought) -> tuple[Finding, float, int | None] | None:
        """What this search found before, its seconds, and the steps counted in it; None where that is not known."""
        path = self._path(sought)
        if path is None or not path.exists():
            return None
        told = json.loads(path.read_text(encoding="utf-8"))
        attacker = _restored(sought, told["attacker"])
        if attacker is None:
            return None
        tried = tuple(_tried(each) for each in told["tried"])
        searched = None if told["search"] is None else Search(**told["search"])
        finding = Finding(attacker, told["claimed"], told["steps"], tuple(told["warnings"]), tried, searched)
        return finding, float(told["seconds"]), told["made"]

    def keep(self, sought: Sought, finding: Finding, seconds: float, made: int | None) -> None:
        """Write a finding and what it cost down, if the attacker comes back from its document as it is."""
        path = self._path(sought)
        if path is None:
            return
        try:
            document = finding.attacker.to_document()
        except SparringError:  # this one has no document
            return
        again = _restored(sought, json.loads(json.dumps(document)))
        if again is None or again.to_document() != document:
            return
        self._folder.mkdir(exist_ok=True)
        told = {"attacker": document, "claimed": finding.claimed, "steps": finding.steps,
                "warnings": list(finding.warnings), "tried": [asdict(each) for each in finding.tried],
                "search": None if finding.search is None else asdict(finding.search), "seconds": seconds,
                "made": made}  # fmt: skip
        write_text(path, json.dumps(told) + "\n")

    def _path(self, sought: Sought) -> Path | None:
        """Where a finding lies; None for attackers from files, which may change behind their name and load at once."""
        return None if isinstance(sought.oracle, GivenAttacker) else self._folder / f"{sought.identity()}.json"


def _restored(sought: Sought, document: dict[str, Any]) -> Policy | None:
    """The attacker of a document, where the oracle can make one of it."""
    try:
        return sought.oracle.restore(document, sought.duel)
    except (SparringError, KeyError, TypeError, ValueError):
        return None


def _tried(told: dict[str, Any]) -> Tried:
    """What JSON made lists of is tuples again."""
    limits = None if told["ci95"] is None else tuple(told["ci95"])
    return Tried(**{**told, "ci95": limits, "warnings": tuple(told["warnings"])})
