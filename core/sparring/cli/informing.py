"""`sparring plugins info`."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.table import Table

from sparring.cli.tables import show
from sparring.errors import RequestError, nearest
from sparring.option_fields import choices_of, option_fields
from sparring.plugin import NoOptions, Plugin, PluginOptions
from sparring.registry import LEARNER, Entry, default_registry

if TYPE_CHECKING:
    from sparring.budgets import BudgetKind
    from sparring.source import GameSource
    from sparring.threat import ThreatModel

__all__ = ["command"]

LONGEST = 20
"""Options of single games above which a source's own are left to `plugins info SOURCE:GAME`."""


def command(name: str) -> None:
    """Show the declaration of every plugin of that name, or the options of one game, such as `gym:Hopper-v5`."""
    from sparring.source import GameSource

    registry = default_registry()
    every = (*registry.entries, *registry.learners)
    entries = [entry for entry in every if name in (entry.name, f"{entry.kind}.{entry.name}")]
    family, colon, game = name.partition(":")
    if colon and family in registry.names("game"):
        source = registry.load(registry.find("game", family))
        assert issubclass(source, GameSource)
        show(_of_game(source, game))
        return
    if not entries:
        known = {entry.name for entry in every}
        raise RequestError(f"unknown plugin {name!r}: {nearest(name, known)}")
    for entry in entries:
        if entry.kind == LEARNER:
            _show_learner(entry)
            continue
        plugin = registry.load(entry)
        show(_declaration(entry, plugin))
        for table in (_table("options", _rows(plugin.Options)), _of_games(plugin)):
            if table is not None:
                show(table)


def _show_learner(entry: Entry) -> None:
    """Who announces it, where its code lies, and its options, where it declares them."""
    from sparring.simulated.learner import door_of

    make = door_of(entry)
    place: Any = sys.modules.get(make.__module__, make)
    words = (inspect.getdoc(make) or "-").splitlines()[0]
    facts = {
        "learner": entry.name,
        "summary": words,
        "distribution": f"{entry.distribution} {entry.version}",
        "code": inspect.getsourcefile(place) or "-",
    }
    show(_facts(facts))
    table = _table("options", _rows(getattr(make, "Options", NoOptions)))
    if table is not None:
        show(table)


def _declaration(entry: Entry, plugin: type[Plugin]) -> Table:
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
    return _facts(facts | _of_kind(plugin))


def _facts(facts: Mapping[str, str]) -> Table:
    table = Table(show_header=False, box=None)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")  # where the code lies must be readable to the last letter
    for key, value in facts.items():
        table.add_row(key, escape(value))  # a plugin's own words may hold brackets
    return table


def _of_kind(plugin: type[Plugin]) -> dict[str, str]:
    """What only this kind declares."""
    from sparring.source import GameSource
    from sparring.threat import ThreatModel

    if issubclass(plugin, ThreatModel):
        return {"budget": "\n".join(_budgets(plugin)), "benign": plugin.benign}
    if issubclass(plugin, GameSource):
        return {"games": ", ".join(plugin().catalogue())}
    return {}


def _budgets(plugin: type[ThreatModel]) -> list[str]:
    """Every kind of budget that it may have, with range and unit, and what selects it: a form, or an option."""
    forms = sorted(plugin.forms)
    usual = {form: plugin().budget_kind(form) for form in forms}
    selected: dict[BudgetKind, list[str]] = {}
    for form, kind in usual.items():
        selected.setdefault(kind, []).append(f"on {form}" if len(set(usual.values())) > 1 else "")
    for choice in choices_of(plugin.Options):
        (word,) = (f"with {name}={value}" for name, value in choice.items())
        for kind in dict.fromkeys(
            kind for form in forms if (kind := plugin(**choice).budget_kind(form)) != usual[form]
        ):
            selected.setdefault(kind, []).append(word)
    told = {kind: ", ".join(word for word in words if word) for kind, words in selected.items()}
    return [f"{kind.name}: {kind.legal} ({kind.unit})" + (f" {words}" if words else "") for kind, words in told.items()]


def _of_game(source: type[GameSource], game: str) -> Table:
    """The options of one game.

    Raises:
        RequestError: it has none, or its source leaves them to the loading of the game.
    """
    declared = source().game_options(game)
    found = None if declared is None else _table(f"options of {source.name}:{game}", _rows(declared))
    if found is None:
        raise RequestError(f"{source.name}:{game}: no options are declared of it")
    return found


def _of_games(plugin: type[Plugin]) -> Table | None:
    """The options of a source's games: of all of them, where a few games have a few, or else those that all have."""
    from sparring.source import GameSource

    if not issubclass(plugin, GameSource):
        return None
    source = plugin()
    rows = {game: _rows(source.game_options(game) or NoOptions) for game in source.catalogue()}
    shared = [row for row in next(iter(rows.values()), []) if all(row in theirs for theirs in rows.values())]
    own = [(game, *row) for game, theirs in rows.items() for row in theirs if row not in shared]
    if len(own) > LONGEST:
        more = f"; what else one has, `sparring plugins info {plugin.name}:{next(iter(rows))}` shows"
        return _table(f"options of every game{more}", shared)
    return _table("options of its games", [*(("all", *row) for row in shared), *own], "game")


def _table(title: str, rows: Sequence[tuple[str, ...]], *first: str) -> Table | None:
    """Rows of options; None if there are none."""
    if not rows:
        return None
    table = Table(title=title, title_justify="left")
    for name in (*first, "option", "type", "default", "range", "unit", "meaning"):
        table.add_column(name)
    for row in rows:
        table.add_row(*[escape(part) for part in row])
    return table


def _rows(options: type[PluginOptions]) -> list[tuple[str, ...]]:
    """Name, type, default, range, unit and meaning of each option."""
    return [_row(name, field) for name, field in option_fields(options).items()]


def _row(name: str, field: dict[str, Any]) -> tuple[str, ...]:
    kind, legal = _shape(field)
    default = field.get("default", "-")
    told = "none" if default is None else str(default).lower() if isinstance(default, bool) else str(default)
    return name, kind, told, legal, str(field.get("unit", "-")), field.get("description", "")


def _shape(field: dict[str, Any]) -> tuple[str, str]:
    """Type and range of an option."""
    if "enum" in field:
        return "choice", ", ".join(str(value) for value in field["enum"])
    limits = (("minimum", ">="), ("exclusiveMinimum", ">"), ("maximum", "<="), ("exclusiveMaximum", "<"))
    bounds = [f"{sign} {field[key]:g}" for key, sign in limits if key in field]
    return str(field.get("type", "-")), ", ".join(bounds)
