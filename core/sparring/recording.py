"""What attack games and intervals look like in a document."""

from __future__ import annotations

from typing import Any

from sparring.attack_game import AttackGame
from sparring.budgets import Budget
from sparring.certificate import Certificate
from sparring.document import (
    BudgetRecord,
    ExploitabilityRecord,
    NominalRecord,
    PartRecord,
    PolicyRecord,
    SearchRecord,
    ThreatRecord,
    TriedRecord,
)
from sparring.exploitability import Estimate, Interval
from sparring.oracle import Search, Tried

__all__ = [
    "benign_record",
    "budget_of",
    "budget_record",
    "certificate_record",
    "interval_record",
    "kept_episodes",
    "nominal_record",
    "search_record",
    "threat_record",
    "tried_record",
]


def threat_record(duel: AttackGame) -> ThreatRecord:
    """The threat as the document has it; several are `composed` and keep their own budgets."""
    if len(duel.charged) == 1:
        only = duel.charged[0]
        return ThreatRecord(name=only.threat, options=dict(only.options))
    parts = [
        PartRecord(name=part.threat, options=dict(part.options), budget=budget_record(part.budget))
        for part in duel.charged
    ]
    return ThreatRecord(name="composed", parts=parts)


def interval_record(interval: Interval) -> ExploitabilityRecord:
    """The interval as the document has it."""
    return ExploitabilityRecord(
        lower=interval.lower,
        upper=interval.upper,
        exact=interval.exact,
        over="distribution" if interval.over == "distribution" else list(interval.over),
        confidence=interval.confidence,
        method=interval.method,
        trivial_upper=interval.trivial_upper,
    )


def budget_record(budget: Budget) -> BudgetRecord:
    """A budget as the document has it."""
    return BudgetRecord(kind=budget.kind.name, value=budget.value, unit=budget.kind.unit)


def benign_record(duel: AttackGame) -> PolicyRecord | None:
    """The benign policy of the other seat; None where there is none."""
    specs = [part.benign for part in duel.charged if part.benign is not None]
    return PolicyRecord(spec=specs[0], player=1 - (duel.victim_player or 0)) if specs else None


def budget_of(duel: AttackGame) -> BudgetRecord | None:
    """The budget of a single threat; composed threats have one for each part."""
    return budget_record(duel.charged[0].budget) if len(duel.charged) == 1 else None


def nominal_record(nominal: Estimate | None) -> NominalRecord:
    """The return without attack; nulls where nothing says what the other seat would do."""
    if nominal is None:
        return NominalRecord(value=None)
    return NominalRecord(value=float(nominal), ci95=nominal.ci95, episodes=nominal.episodes, **kept_episodes(nominal))


def kept_episodes(value: Estimate) -> dict[str, Any]:
    """The fields of the episodes behind a value, as far as they are kept."""
    kept = {name: getattr(value, name) for name in ("returns", "seeds", "lengths", "truncated")}
    return {name: None if each is None else list(each) for name, each in kept.items()}


def tried_record(tried: Tried) -> TriedRecord:
    """One of the attackers that an oracle chose from."""
    return TriedRecord(**{**vars(tried), "warnings": list(tried.warnings)})


def search_record(search: Search) -> SearchRecord:
    """What a search cost and found."""
    return SearchRecord(**{**vars(search), "space": dict(search.space)})


def certificate_record(found: Certificate) -> dict[str, object]:
    """A certificate as the document has it."""
    return {
        "backend": found.backend,
        "least_return": found.least_return,
        "over": "distribution" if found.over == "distribution" else list(found.over),
        "confidence": found.confidence,
        "facts": dict(found.facts),
    }
