"""What a class of options says of each of its fields, from the schema that pydantic makes of it."""

from __future__ import annotations

from typing import Any

from sparring.plugin import PluginOptions

__all__ = ["option_fields"]


def option_fields(options: type[PluginOptions]) -> dict[str, dict[str, Any]]:
    """The JSON schema of each option by name, with references followed; `or none` is left to its default.

    A number in a range has `type`, `minimum` or `exclusiveMinimum`, `maximum` or `exclusiveMaximum`; a choice `enum`.
    """
    schema: dict[str, Any] = options.model_json_schema()
    definitions = schema.get("$defs", {})
    return {name: _whole(told, definitions) for name, told in schema.get("properties", {}).items()}


def _whole(told: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    told = _followed(told, definitions)
    others = [part for part in told.get("anyOf", ()) if part.get("type") != "null"]
    return told if len(others) != 1 else told | _followed(others[0], definitions)


def _followed(told: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return told | definitions.get(str(told.get("$ref", "")).rsplit("/", 1)[-1], {}) if "$ref" in told else told
