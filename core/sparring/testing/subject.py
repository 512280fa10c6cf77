"""The plugin that is looked at."""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

from sparring.forms import Form
from sparring.plugin import Plugin
from sparring.registry import Entry, Registry
from sparring.testing.check import CheckFailure

__all__ = ["Subject"]


@dataclass(frozen=True)
class Subject:
    """A plugin's class, with its announcement if it has one."""

    plugin: type[Plugin]
    registry: Registry
    entry: Entry | None = None

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
        """Forms that it claims and that the kit has games of."""
        return [form for form in Form if form in self.plugin.forms and form.exact]

    def make(self) -> Plugin:
        """An instance with the default options."""
        return self.plugin.configured({})

    @property
    def variants(self) -> list[dict[str, Any]]:
        """The default options, and each other choice of every option that is a choice."""
        schema: dict[str, Any] = self.plugin.Options.model_json_schema()
        found: list[dict[str, Any]] = [{}]
        for name, field in schema.get("properties", {}).items():
            whole = field | schema.get("$defs", {}).get(str(field.get("$ref", "")).rsplit("/", 1)[-1], {})
            found += [{name: choice} for choice in whole.get("enum", ()) if choice != field.get("default")]
        return found

    def failure(self, cause: str, remedy: str, where: str = "") -> CheckFailure:
        """What to raise for a promise that is not kept; `where` is the game or file it was seen on."""
        return CheckFailure(cause, f"{self.place}, {where}" if where else self.place, remedy)
