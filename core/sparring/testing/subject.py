"""The plugin that is looked at."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sparring.forms import Form
from sparring.plugin import Plugin
from sparring.registry import Entry, Registry
from sparring.testing.check import CheckFailure

__all__ = ["Subject"]

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
        schema: dict[str, Any] = self.plugin.Options.model_json_schema()
        found: list[dict[str, Any]] = [{}]
        for name, told in schema.get("properties", {}).items():
            whole = told | schema.get("$defs", {}).get(str(told.get("$ref", "")).rsplit("/", 1)[-1], {})
            found += [{name: choice} for choice in whole.get("enum", ()) if choice != told.get("default")]
        return found

    @property
    def extremes(self) -> list[dict[str, Any]]:
        """Each choice, and each end of its range, of every option, alone."""
        schema: dict[str, Any] = self.plugin.Options.model_json_schema()
        found = [options for options in self.variants if options]
        for name, told in schema.get("properties", {}).items():
            whole = told | schema.get("$defs", {}).get(str(told.get("$ref", "")).rsplit("/", 1)[-1], {})
            ends = [whole[end] for end in ("minimum", "maximum") if end in whole]
            ends = [False, True] if whole.get("type") == "boolean" else ends
            found += [{name: end} for end in ends if end != told.get("default") and abs(end) <= LARGEST]
        return found

    def failure(self, cause: str, remedy: str, where: str = "") -> CheckFailure:
        """What to raise for a promise that is not kept; `where` is the game or file it was seen on."""
        return CheckFailure(cause, f"{self.place}, {where}" if where else self.place, remedy)
