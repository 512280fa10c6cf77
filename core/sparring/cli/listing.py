"""`sparring plugins list`."""

from __future__ import annotations

from sparring.cli.asking import check_target, write_document
from sparring.registry import default_registry

__all__ = ["command"]


def command(json: str | None) -> None:
    """List kind, name, distribution and version of every plugin and learner that is announced."""
    check_target(json)
    registry = default_registry()
    rows = [
        {"kind": entry.kind, "name": entry.name, "distribution": entry.distribution, "version": entry.version}
        for entry in (*registry.entries, *registry.learners)
    ]
    if json is not None:
        write_document(json, rows)
    if json == "-":
        return
    from rich.console import Console
    from rich.table import Table

    table = Table()
    for name in ("kind", "name", "distribution", "version"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(*row.values())
    Console(highlight=False).print(table)
