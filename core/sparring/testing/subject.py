"""The plugin that is looked at."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparring.forms import Form
from sparring.option_fields import choices_of, option_fields
from sparring.plugin import Plugin, PluginOptions
from sparring.registry import Entry, Registry
from sparring.testing.check import CheckFailure

__all__ = ["Subject", "extremes_of"]

LARGEST = 16
"""Of the ends of ranges that are tried: an option may well say how much work there is to do."""


@dataclass(frozen=True)
class Subject:
    """A plugin's class, with its announcement if it has one."""

    plugin: type[Plugin]
    registry: Registry
    entry: Entry | None = None
    chosen: Mapping[str, Any] = field(default_factory=dict)
    """Options that instances are made with."""

    @property
    def place(self) -> str:
        """The class, its file and its line."""
        try:
            _, line = inspect.getsourcelines(self.plugin)
            where = f"{inspect.getsourcefile(self.plugin)}:{line}"
        except (OSError, TypeError):  # made while the program runs, or its source is not shipped
            where = self.plugin.__module__
        return f"{where} ({self.plugin.__name__})"

    @property
    def exact_forms(self) -> list[Form]:
        """Exact forms that it claims; the kit has games of all of them."""
        return [form for form in Form if form in self.plugin.forms and form.exact]

    @property
    def simulated(self) -> bool:
        """Whether it claims the simulated form."""
        return Form.SIMULATED in self.plugin.forms

    @property
    def kit_forms(self) -> list[Form]:
        """Forms that it claims and that the kit has games of."""
        return [*self.exact_forms, *([Form.SIMULATED] if self.simulated else [])]

    def make(self) -> Plugin:
        """An instance with the chosen options, which are the defaults where none are chosen."""
        return self.plugin.configured(dict(self.chosen))

    @property
    def variants(self) -> list[dict[str, Any]]:
        """The default options, and each other choice of every option that is a choice."""
        return [{}, *choices_of(self.plugin.Options)]

    @property
    def extremes(self) -> list[dict[str, Any]]:
        """Each choice, and each end of its range, of every option, alone."""
        return extremes_of(self.plugin.Options)

    def failure(self, cause: str, remedy: str, where: str = "") -> CheckFailure:
        """What to raise for a promise that is not kept; `where` is the game or file it was seen on."""
        return CheckFailure(cause, f"{self.place}, {where}" if where else self.place, remedy)


def extremes_of(options: type[PluginOptions]) -> list[dict[str, Any]]:
    """Each choice, and each end of its range, of every option, alone."""
    found = choices_of(options)
    for name, told in option_fields(options).items():
        ends = [told[end] for end in ("minimum", "maximum") if end in told]
        ends = [False, True] if told.get("type") == "boolean" else ends
        found += [{name: end} for end in ends if end != told.get("default") and abs(end) <= LARGEST]
    return found
