"""`sparring plugins info`."""

from __future__ import annotations

import inspect
from typing import Any

from rich.markup import escape
from rich.table import Table

from sparring.cli.tables import show
from sparring.errors import RequestError, nearest
from sparring.plugin import Plugin
from sparring.registry import Entry, default_registry

__all__ = ["command"]


def command(name: str) -> None:
    """Show the declaration of every plugin of that name."""
    registry = default_registry()
    entries = [entry for entry in registry.entries if name in (entry.name, f"{entry.kind}.{entry.name}")]
    if not entries:
        known = {entry.name for entry in registry.entries}
        raise RequestError(f"unknown plugin {name!r}: {nearest(name, known)}")
    for entry in entries:
        show(_declaration(entry, registry.load(entry)))
        options = _options(registry.load(entry))
        if options is not None:
            show(options)


def _declaration(entry: Entry, plugin: type[Plugin]) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # where the code lies must be readable to the last letter
    facts = {
        "plugin": f"{entry.kind} {entry.name}",
        "summary": plugin.summary,
        "source": plugin.source or "-",
        "forms": ", ".join(sorted(form.value for form in plugin.forms)),
        "needs": ", ".join(sorted(getattr(plugin, "needs", ()))) or "-",
        "distribution": f"{entry.distribution} {entry.version}",
        "interface": str(plugin.interface),
        "code": inspect.getsourcefile(plugin) or "-",
    }
    for key, value in (facts | _of_kind(plugin)).items():
        table.add_row(key, escape(value))  # a plugin's own words may hold brackets
    return table


def _of_kind(plugin: type[Plugin]) -> dict[str, str]:
    """What only this kind declares."""
    from sparring.source import GameSource
    from sparring.threat import ThreatModel

    if issubclass(plugin, ThreatModel):
        kind = plugin.budget
        return {"budget": f"{kind.name}: {kind.legal} ({kind.unit})", "benign": plugin.benign}
    if issubclass(plugin, GameSource):
        return {"games": ", ".join(plugin().catalogue())}
    return {}


def _options(plugin: type[Plugin]) -> Table | None:
    """The options with type, default, range and meaning; None if there are none."""
    schema: dict[str, Any] = plugin.Options.model_json_schema()
    fields = schema.get("properties", {})
    if not fields:
        return None
    table = Table(title="options", title_justify="left")
    for name in ("option", "type", "default", "range", "unit", "meaning"):
        table.add_column(name)
    for name, field in fields.items():
        shape = _shape(field, schema.get("$defs", {}))
        default, measured = str(field.get("default", "-")), str(field.get("unit", "-"))
        told = (name, shape[0], default, shape[1], measured, field.get("description", ""))
        table.add_row(*[escape(part) for part in told])
    return table


def _shape(field: dict[str, Any], definitions: dict[str, Any]) -> tuple[str, str]:
    """Type and range of an option."""
    if "$ref" in field:
        field = field | definitions[field["$ref"].rsplit("/", 1)[-1]]
    if "enum" in field:
        return "choice", ", ".join(str(value) for value in field["enum"])
    limits = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    bounds = [f"{sign} {field[key]:g}" for key, sign in limits if key in field]
    return str(field.get("type", "-")), ", ".join(bounds)
