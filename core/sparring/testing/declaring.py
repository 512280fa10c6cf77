"""Checks of what a plugin declares; they hold for all kinds."""

from __future__ import annotations

import pickle
from typing import Any

from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.option_fields import option_fields
from sparring.plugin import INTERFACE, Plugin, PluginOptions
from sparring.specs import NAME
from sparring.testing.subject import Subject

__all__ = [
    "announced_by_its_name",
    "declaration_complete",
    "defaults_are_legal",
    "illegal_settings",
    "plugin_pickles",
    "refuses_nonsense",
]

LONGEST_SUMMARY = 120


def declaration_complete(subject: Subject) -> None:
    """Name, summary, source, forms and interface are declared, each option is described."""
    plugin = subject.plugin
    forms = plugin.forms
    faults = {
        f"name {plugin.name!r} is no name": not (isinstance(plugin.name, str) and NAME.match(plugin.name)),
        "summary is not one line of text": not (isinstance(plugin.summary, str) and _one_line(plugin.summary)),
        "source is not text": not isinstance(plugin.source, str),
        "forms is not a frozenset of forms": not (
            isinstance(forms, frozenset) and forms and all(isinstance(form, Form) for form in forms)
        ),
        "interface is not a number up to this Sparring's": not (
            type(plugin.interface) is int and 1 <= plugin.interface <= INTERFACE
        ),
        **{f"option {name!r} has no description": not field.description for name, field in _fields(plugin).items()},
    }
    for fault, found in faults.items():
        if found:
            raise subject.failure(fault, "declare it as a class attribute, as sparring.plugin.Plugin documents it")


def _one_line(summary: str) -> bool:
    return 0 < len(summary.strip()) <= LONGEST_SUMMARY and "\n" not in summary


def _fields(plugin: type[Plugin]) -> dict[str, Any]:
    return dict(plugin.Options.model_fields)


def announced_by_its_name(subject: Subject) -> None:
    """The entry point `kind.name`, where there is one, leads to this class."""
    plugin, entry = subject.plugin, subject.entry
    if entry is None:
        same = [known for known in subject.registry.entries if (known.kind, known.name) == (plugin.kind, plugin.name)]
        if not same:
            return
        entry = same[0]
    found = subject.registry.load(entry)
    if found is not plugin:
        other = f"{found.__module__}.{found.__name__}"
        raise subject.failure(
            f"the entry point {entry.kind}.{entry.name} of {entry.distribution} leads to {other}",
            "give the plugin a name of its own, or name the right module in the entry point",
        )


def defaults_are_legal(subject: Subject) -> None:
    """The plugin can be made without options, and every default is within its own type and range."""
    remedy = "give every option a default within its own type and range"
    try:
        chosen = subject.make().options
        subject.plugin.configured(chosen.model_dump())
    except RequestError as error:
        raise subject.failure(f"its defaults are refused: {error}", remedy) from error


def refuses_nonsense(subject: Subject) -> None:
    """An unknown option, and a value out of type or range, is refused by name."""
    for name, value in illegal_settings(subject.plugin.Options):
        try:
            subject.plugin.configured({name: value})
        except RequestError as error:
            if name in str(error):
                continue
            raise subject.failure(f"refusing {name}={value!r} it does not name it: {error}", REFUSE) from None
        raise subject.failure(f"the option {name}={value!r} is accepted", REFUSE)


REFUSE = "derive Options from PluginOptions, set ranges with Field(ge=..., le=...), and leave __init__ to Plugin"


def illegal_settings(options: type[PluginOptions]) -> list[tuple[str, object]]:
    """Settings that must be refused: an option that there is not, and values out of type or range of each there is."""
    fields = option_fields(options).items()
    return [("no_such_option", 1), *((name, value) for name, field in fields for value in _illegal(field))]


def _illegal(field: dict[str, Any]) -> list[object]:
    """Values that a field of that schema cannot have."""
    beyond: list[object] = [field[key] - 1 for key in ("minimum", "exclusiveMinimum") if key in field]
    beyond += [field[key] + 1 for key in ("maximum", "exclusiveMaximum") if key in field]
    if "enum" in field:
        return ["no-such-choice"]
    return [*beyond, "text"] if field.get("type") in ("integer", "number", "boolean") else [*beyond, [object()]]


def plugin_pickles(subject: Subject) -> None:
    """An instance can be sent to a worker process and arrives with its options."""
    made = subject.make()
    remedy = "define the class at the top of a module, and keep open files, functions and locks out of it"
    try:
        again = pickle.loads(pickle.dumps(made))
    except Exception as error:
        raise subject.failure(f"it cannot be pickled: {type(error).__name__}: {error}", remedy) from error
    if type(again) is not type(made) or again.options != made.options:
        raise subject.failure(f"it arrives as {again!r} with options {again.options!r}", remedy)


def expected_failures_known(subject: Subject, names: list[str]) -> None:
    """Every expected failure names a check of this kind, with a reason."""
    for name, reason in subject.plugin.expected_failures.items():
        if name not in names:
            raise subject.failure(
                f"expected_failures names {name!r}; {nearest(name, names)}", "name a check of the kit"
            )
        if not isinstance(reason, str) or not reason.strip():
            raise subject.failure(f"expected_failures gives no reason for {name!r}", "say in a few words why it fails")
