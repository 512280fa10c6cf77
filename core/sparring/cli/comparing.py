"""`sparring compare`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from sparring.cli.asking import check_target, write_document
from sparring.cli.tables import comparison_table, evaluation_table, show
from sparring.comparing import Comparison, compared
from sparring.document import Evaluation, read_evaluations
from sparring.errors import RequestError

__all__ = ["command"]

SCHEMA = "sparring.comparison/1"


def command(documents: list[Path], plot: Path | None, json: str | None = None) -> None:
    """Show evaluations of one game side by side, by budget; compare agents on the same episodes; draw if asked."""
    check_target(json)
    found = [item for path in documents for item in read_evaluations(path)]
    if not found:
        raise RequestError("compare: the documents hold no evaluations")
    _check_alike(found)
    ordered = sorted(found, key=_budget)
    pairs = comparisons(ordered)
    if plot is not None:
        from sparring.pictures import budget_curves

        budget_curves(found, plot)
    write_document(json, {"schema": SCHEMA, "comparisons": [asdict(each) for each in pairs]})
    show(evaluation_table(ordered), aside=json == "-")
    if pairs:
        show(comparison_table(pairs), aside=json == "-")


def comparisons(ordered: list[Evaluation]) -> list[Comparison]:
    """At each budget the first agent with each of the others, where episodes were kept."""
    found: list[Comparison] = []
    for place, item in enumerate(ordered):
        first = next(place for place, each in enumerate(ordered) if _budget(each) == _budget(item))
        if place > first:
            found += compared(ordered[first], item)
    return found


def _budget(item: Evaluation) -> float:
    return -1.0 if item.budget is None else item.budget.value


def _check_alike(found: list[Evaluation]) -> None:
    """Refuse to put side by side what cannot be compared."""
    first = found[0]
    # At a budget of 1 there need be no benign policy; two that differ make two attack games.
    benign = sorted({item.benign.spec for item in found if item.benign is not None})
    if len(benign) > 1:
        raise RequestError(f"compare: the documents differ in benign policy: {benign[0]} and {benign[1]}")
    for item in found[1:]:
        for what, ours, theirs in (
            ("game", first.game.spec, item.game.spec),
            ("seat of the victim", first.victim.player, item.victim.player),
            ("threat", first.threat, item.threat),
        ):
            if ours != theirs:
                raise RequestError(f"compare: the documents differ in {what}: {ours} and {theirs}")
        sampled = not (first.exploitability.exact and item.exploitability.exact)
        if sampled and first.provenance.seed != item.provenance.seed:
            raise RequestError(
                f"compare: sampled results need the same seed, these have {first.provenance.seed} and "
                f"{item.provenance.seed}"
            )
