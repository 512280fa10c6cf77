"""Episodes as a table, one row each, for whatever reads CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sparring.document import AttackRecord, Evaluation, NominalRecord
from sparring.errors import RequestError
from sparring.files import write_text, write_whole

__all__ = ["COLUMNS", "NO_ATTACK", "check_table", "rows_of", "save_rows"]

COLUMNS = {
    "seed": "int64", "oracle": "string", "return": "float64", "length": "int64", "truncated": "bool_",
    "game": "string", "victim": "string", "threat": "string", "budget": "float64",
}  # fmt: skip
"""Columns and the types that they have in Parquet."""
NO_ATTACK = "no attack"
"""What stands for the oracle in episodes that nobody attacks."""


def rows_of(evaluations: Sequence[Evaluation]) -> list[dict[str, Any]]:
    """One row for each episode behind the values of evaluations, those without attack first.

    `seed`, `length` and `truncated` are None where a form does not tell them, `budget` where threats are composed.
    """
    found = []
    for item in evaluations:
        same = {"game": item.game.spec, "victim": item.victim.spec, "threat": item.threat.name,
                "budget": None if item.budget is None else item.budget.value}  # fmt: skip
        sampled: list[tuple[str, NominalRecord | AttackRecord]] = [(NO_ATTACK, item.nominal)]
        sampled += [(attack.oracle, attack) for attack in item.attacks]
        found += [{**row, **same} for oracle, record in sampled for row in _rows(oracle, record)]
    return found


def _rows(oracle: str, record: NominalRecord | AttackRecord) -> list[dict[str, Any]]:
    if record.returns is None:
        return []
    empty = [None] * len(record.returns)
    columns = (record.seeds or empty, record.returns, record.lengths or empty, record.truncated or empty)
    return [
        {"seed": seed, "oracle": oracle, "return": gained, "length": length, "truncated": truncated}
        for seed, gained, length, truncated in zip(*columns, strict=True)
    ]


def check_table(path: Path) -> None:
    """Refuse, before any work is done, a file that could not be written in the end.

    Raises:
        RequestError: another ending than `.csv` and `.parquet`, or pyarrow is missing for the latter.
    """
    if path.suffix == ".parquet":
        _pyarrow()
    elif path.suffix != ".csv":
        raise RequestError(f"returns {path}: its ending is {path.suffix!r}; take .csv or .parquet")


def save_rows(evaluations: Sequence[Evaluation], path: Path) -> None:
    """Write the rows of evaluations; the file is whole or absent.

    Raises:
        RequestError: another ending, a missing package, or no rows: values are exact.
    """
    check_table(path)
    rows = rows_of(evaluations)
    if not rows:
        raise RequestError(f"returns {path}: there are no episodes to write, the values are exact")
    if path.suffix == ".csv":
        write_text(path, _csv(rows))
        return
    arrow, parquet = _pyarrow()
    columns = {name: arrow.array([row[name] for row in rows], getattr(arrow, kind)()) for name, kind in COLUMNS.items()}
    with write_whole(path) as stream:
        parquet.write_table(arrow.table(columns), stream)


def _csv(rows: Sequence[dict[str, Any]]) -> str:
    """Numbers are written so that they read back the same; what is not known is empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise RequestError("parquet files need pyarrow: pip install 'sparring[parquet]'; or take .csv") from None
    return pyarrow, pyarrow.parquet
