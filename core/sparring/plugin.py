"""What every plugin declares, and the base class of each of the seven kinds.

A plugin is a class. Its attributes are its declaration, shown by `sparring plugins info` without an
instance; an instance is the plugin with its options chosen.
"""

from __future__ import annotations

import re
from abc import ABC
from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, JsonValue, ValidationError

from sparring.errors import RefusedError, RequestError, article, nearest
from sparring.forms import Form

if TYPE_CHECKING:
    from sparring.game import Game

__all__ = ["INTERFACE", "OLDEST_INTERFACE", "NoOptions", "Plugin", "PluginOptions", "first_fault", "unit"]

INTERFACE = 1
"""Version of the plugin interface; a plugin that asks for a later one is not loaded."""
OLDEST_INTERFACE = 1
"""The oldest version that still loads, with a warning if it is not the newest: always the one before, if any."""


class PluginOptions(BaseModel):
    """Base of a plugin's options: typed fields with defaults, ranges (`ge`, `le`) and descriptions."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def unit(name: str, *, searched: bool = True) -> dict[str, JsonValue]:
    """The unit of an option, for `Field(..., json_schema_extra=unit("seconds"))`; `plugins info` shows it.

    Args:
        name: the unit.
        searched: whether a search over settings ranges over the option where it is told nothing else; say no where the
            option is an amount of work.
    """
    return {"unit": name} if searched else {"unit": name, "searched": False}


class NoOptions(PluginOptions):
    """A plugin without options."""


class Plugin(ABC):
    """Base of all plugins."""

    kind: ClassVar[str]
    """Which of the seven kinds."""
    name: ClassVar[str]
    """The name it is asked for by; the entry point is `kind.name`."""
    summary: ClassVar[str]
    """One line."""
    source: ClassVar[str] = ""
    """The paper, equation or algorithm it follows."""
    interface: ClassVar[int] = 1
    """The interface version it was written for; the first one where it does not say."""
    forms: ClassVar[frozenset[Form]] = frozenset(Form)
    """Forms of game it works on."""
    Options: ClassVar[type[PluginOptions]] = NoOptions
    expected_failures: ClassVar[Mapping[str, str]] = MappingProxyType({})
    """Checks of `sparring.testing` that it knowingly fails, with the reason; one that passes is a failure too."""

    announced: str | None = None
    """`distribution:name` of the announcement that an instance was made from; None where Python code made it."""

    def __init__(self, **options: Any) -> None:
        """Choose the options; keyword arguments are the fields of `Options`.

        Raises:
            RequestError: an option does not exist or its value is illegal.
        """
        self.options: Any = self._validated(options)

    @classmethod
    def _validated(cls, values: dict[str, Any]) -> PluginOptions:
        try:
            return cls.Options(**values)
        except ValidationError as error:
            raise RequestError(f"{cls.kind} {cls.name}: {first_fault(error, cls.Options)}") from None

    def check_form(self, game: Game) -> None:
        """Refuse a game of a form that this plugin does not work on.

        Raises:
            RefusedError: the line names the forms it needs.
        """
        if game.form not in self.forms:
            needed = article(", ".join(sorted(form.value for form in self.forms)))
            raise RefusedError(f"{self.kind} {self.name} on {game.spec}: needs {needed} game, this one is {game.form}")

    @classmethod
    def configured(cls, options: dict[str, Any]) -> Self:
        """Make an instance from options by name."""
        return cls(**options)


def first_fault(error: ValidationError, options: type[PluginOptions]) -> str:
    """One line for the first thing pydantic found."""
    first = error.errors()[0]
    name = str(first["loc"][0]) if first["loc"] else ""
    if first["type"] == "missing":
        return f"option {name} is missing; it is {options.model_fields[name].description}"
    if first["type"] == "extra_forbidden":
        return f"there is no option {name!r}; {nearest(name, options.model_fields)}"
    message = re.sub(r"\s+", " ", first["msg"])
    if not name:
        return message
    return f"option {name} = {first.get('input')!r}: {message}"
