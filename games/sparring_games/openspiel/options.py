"""Parameters of OpenSpiel's games as typed options."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, create_model

from sparring.errors import MissingError
from sparring.plugin import PluginOptions
from sparring_games.openspiel.spec import BARE_DEFAULTS, declared_parameters

__all__ = ["options_of"]

PLAIN = (bool, int, float, str)


class _Parameters(PluginOptions):
    """Numbers are text where OpenSpiel wants text."""

    model_config = ConfigDict(coerce_numbers_to_str=True)


def options_of(name: str) -> type[PluginOptions] | None:
    """The options of a registered game; None where there is no such game, or no OpenSpiel."""
    try:
        declared = dict(declared_parameters(name))
    except (LookupError, MissingError):
        return None
    usual = declared | dict(BARE_DEFAULTS.get(name, {}))
    fields: dict[str, Any] = {parameter: _field(usual[parameter], parameter) for parameter in declared}
    return create_model(f"{name}_options", __base__=_Parameters, **fields)


def _field(default: Any, parameter: str) -> tuple[Any, Any]:
    """Type and field of a parameter; games among them are text that OpenSpiel reads."""
    kind = type(default) if type(default) in PLAIN else str
    told = "of the game, as OpenSpiel has it" if kind is not str else "of the game, as OpenSpiel has it; text"
    return kind, Field(default if type(default) in PLAIN else None, description=told)
