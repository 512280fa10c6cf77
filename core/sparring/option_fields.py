"""What a class of options says of each of its fields, from the schema that pydantic makes of it."""

from __future__ import annotations

from typing import Any

from sparring.plugin import PluginOptions

__all__ = ["choices_of", "option_fields"]


def option_fields(options: type[PluginOptions]) -> dict[str, dict[str, Any]]:
    """The JSON schema of each option by name, with references followed; `or none` is left to its default.

    A number in a range has `type`, `minimum` or `exclusiveMinimum`, `maximum` or `exclusiveMaximum`; a choice `enum`.
    """
    schema: dict[str, Any] = options.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _whole(told, definitions) for name, told in schema.get("properties", {}).items()}


def choices_of(options: type[PluginOptions]) -> list[dict[str, Any]]:
    """Each choice but the default, of every option that is a choice, alone."""
    fields = option_fields(options).items()
    return [{name: choice} for name, told in fields for choice in told.get("enum", ()) if choice != told.get("default")]


def _whole(told: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    told = _followed(told, definitions)
    others = [part for part in told.get("anyOf", ()) if part.get("type") != "null"]
    return told if len(others) != 1 else told | _followed(others[0], definitions)


def _followed(told: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return told | definitions.get(str(told.get("$ref", "")).rsplit("/", 1)[-1], {}) if "$ref" in told else told
