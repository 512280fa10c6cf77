"""Specs: the short texts that name plugins, games and policies, with their options.

`name`, `family:name`, `name(option=value, ...)`, `file:PATH`. Options are numbers, true or false, or text;
text that holds parentheses of its own (as OpenSpiel's nested games do) is kept as it stands. Where an option takes
several specs they stand between semicolons: `strongest(of=mad;pgd(steps=20,restarts=5))`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sparring.errors import RequestError

__all__ = ["Scalar", "Spec", "parse", "several"]

Scalar = bool | int | float | str
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]*\Z")
PLACE = re.compile(r"[^\s(),=]+\Z")
"""What may follow a family: a name, or a file's path without spaces."""
PATHS = frozenset({"file", "sb3", "run", "python"})
"""Families whose argument is a path or a reference and may hold anything."""


@dataclass(frozen=True)
class Spec:
    """A parsed spec; `str()` gives the text that parses to it again."""

    family: str | None
    name: str
    options: dict[str, Scalar] = field(default_factory=dict)

    def __str__(self) -> str:
        """The canonical text."""
        head = self.name if self.family is None else f"{self.family}:{self.name}"
        if not self.options:
            return head
        return f"{head}({','.join(f'{key}={_text(value)}' for key, value in self.options.items())})"


def parse(text: str) -> Spec:
    """Read a spec.

    Raises:
        RequestError: it is empty, unbalanced, or an option is not `name=value`.
    """
    stripped = text.strip()
    family, colon, rest = stripped.partition(":")
    if colon and family in PATHS:
        if not rest:
            raise RequestError(f"spec {text!r}: nothing after the colon, expected {family}:PATH")
        return Spec(family, rest)
    head, parenthesis, inside = stripped.partition("(")
    if parenthesis and not inside.endswith(")"):
        raise RequestError(f"spec {text!r}: the parenthesis is not closed")
    family, colon, name = head.partition(":") if ":" in head else ("", "", head)
    for part, legal in [(family, NAME), (name, PLACE)] if colon else [(name, NAME)]:
        if not legal.match(part):
            raise RequestError(f"spec {text!r}: {part!r} is no name, expected NAME, FAMILY:NAME or NAME(option=value)")
    return Spec(family if colon else None, name, _options(text, inside[:-1]) if parenthesis else {})


def several(text: str) -> list[str]:
    """The parts of a text between semicolons outside of parentheses and quotes, without empty ones.

    Raises:
        RequestError: parentheses or quotes are not balanced.
    """
    return [part.strip() for part in _split(text, text, ";")]


def _options(text: str, inside: str) -> dict[str, Scalar]:
    options: dict[str, Scalar] = {}
    for part in _split(text, inside, ","):
        key, equals, value = part.partition("=")
        if not equals or not key.strip():
            raise RequestError(f"spec {text!r}: {part.strip()!r} is no option, expected name=value")
        if key.strip() in options:
            raise RequestError(f"spec {text!r}: option {key.strip()!r} is given twice")
        options[key.strip()] = _scalar(value.strip())
    return options


def _split(text: str, inside: str, separator: str) -> list[str]:
    """Split at separators outside of parentheses and quotes."""
    parts, depth, quote, start = [], 0, "", 0
    for place, sign in enumerate(inside):
        if quote:
            quote = "" if sign == quote else quote
        elif sign in "\"'":
            quote = sign
        elif sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == separator and depth == 0:
            parts.append(inside[start:place])
            start = place + 1
        if depth < 0:
            break
    if depth or quote:
        raise RequestError(f"spec {text!r}: parentheses or quotes are not balanced")
    parts.append(inside[start:])
    return [part for part in parts if part.strip()] if inside.strip() else []


def _scalar(value: str) -> Scalar:
    if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'":
        return value[1:-1]
    if value.lower() in {"true", "false"}:
        return value.lower() == "true"
    for kind in (int, float):
        try:
            return kind(value)
        except ValueError:
            continue
    return value


def _text(value: Scalar) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and (_scalar(value) != value or any(sign in value for sign in "\"', ")):
        quote = '"' if "'" in value else "'"
        return f"{quote}{value}{quote}"
    return str(value)
