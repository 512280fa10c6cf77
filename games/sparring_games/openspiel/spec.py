"""Read an OpenSpiel game string and hold it against what the game declares, before OpenSpiel sees it.

OpenSpiel's own parser ignores text after the closing bracket, takes the last of two equal keys and falls
back to built-in data when a data file is missing; here each of them is a fault that names itself.
"""

from __future__ import annotations

import contextlib
import functools
import importlib
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sparring.errors import RequestError, nearest
from sparring_games.openspiel.engine import engine

__all__ = ["BARE_DEFAULTS", "GameRequest", "declared_parameters", "parse_game"]

BARE_DEFAULTS: Mapping[str, Mapping[str, Any]] = {
    "goofspiel": {"num_cards": 4, "imp_info": True, "points_order": "descending"},
}
"""What a bare name means where OpenSpiel's own defaults give a tree far beyond any memory."""

_SHAPE = re.compile(r"(?P<name>[^\s(),=]+)\s*(?:\((?P<fields>.*)\))?", re.DOTALL)
_TRUTH = {"True": True, "true": True, "False": False, "false": False}
_WORDS = {bool: "True or False", int: "a whole number", float: "a number", dict: "a game"}


@dataclass(frozen=True)
class GameRequest:
    """A game's registered name and the parameters given, each of the type that the game declares."""

    name: str
    parameters: Mapping[str, Any]

    @property
    def tailored(self) -> bool:
        """Whether a parameter differs from what the name alone means."""
        usual = {**declared_parameters(self.name), **BARE_DEFAULTS.get(self.name, {})}
        return any(value != usual.get(key) for key, value in self.parameters.items())

    def identity(self) -> dict[str, Any]:
        """Return name and all parameters, declared defaults filled in, so that equal games are equal."""
        return {"name": self.name, **declared_parameters(self.name), **self.parameters}

    def games(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield name and parameters of this game and of the games among its parameters."""
        yield self.name, dict(self.parameters)
        for value in self.parameters.values():
            if isinstance(value, dict):
                inner = dict(value)
                yield from GameRequest(inner.pop("name"), inner).games()

    def files(self) -> Iterator[Path]:
        """Yield the data files that parameters point at, those of nested games too."""
        for text in _texts(self.parameters):
            with contextlib.suppress(OSError, ValueError):  # too long, or a null byte: not a file's name
                if text and Path(text).is_file():
                    yield Path(text)


def parse_game(spec: str) -> GameRequest:
    """Parse `name` or `name(key=value,...)`; values may be games themselves.

    Raises:
        RequestError: malformed text, unknown game or parameter, a value of the wrong type, a missing file.
    """
    name, given = _read(spec, spec.strip())
    if "filename" in declared_parameters(name) and "filename" not in given:
        raise RequestError(f"{spec}: needs a data file; write {name}(filename=PATH)")
    return GameRequest(name, {**BARE_DEFAULTS.get(name, {}), **given})


def _read(spec: str, text: str) -> tuple[str, dict[str, Any]]:
    """Return a game's name and the parameters given in `text`, which is all or a part of `spec`."""
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise RequestError(f"{spec!r}: {text!r} is not a game; write name or name(key=value,...)")
    name = shape["name"]
    try:
        declared_parameters(name)
    except LookupError:
        names = engine().registered_names()
        raise RequestError(f"{spec}: OpenSpiel has no game {name!r}; {nearest(name, names)}") from None
    given: dict[str, Any] = {}
    for field in _fields(spec, shape["fields"] or ""):
        key, equals, raw = (part.strip(" \t") for part in field.partition("="))
        if not equals or not key:
            raise RequestError(f"{spec}: {field!r} is not key=value")
        if key in given:
            raise RequestError(f"{spec}: {key} is given twice; leave one out")
        given[key] = _value(spec, name, key, raw)
    return name, given


def _fields(spec: str, text: str) -> Iterator[str]:
    """Split at the commas outside brackets."""
    depth, start = 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth < 0:
            break
        if sign == "," and depth == 0:
            yield text[start:at]
            start = at + 1
    if depth != 0:
        raise RequestError(f"{spec!r}: brackets do not match; write name or name(key=value,...)")
    if text.strip():
        yield text[start:]


@functools.cache
def declared_parameters(name: str) -> Mapping[str, Any]:
    """Return the parameters of a registered game with their defaults.

    Raises:
        LookupError: there is no such game. Those written in Python register themselves when first imported.
    """
    spiel = engine()
    if name.startswith("python_") and name not in spiel.registered_names():
        with contextlib.suppress(ImportError):  # they stay unknown, as they are to OpenSpiel
            importlib.import_module("open_spiel.python.games")
    kinds = {kind.short_name: kind for kind in spiel.registered_games()}
    return dict(kinds[name].parameter_specification)


def _value(spec: str, name: str, key: str, raw: str) -> Any:
    """Convert `raw` to the type of the declared default of `key`."""
    declared = declared_parameters(name)
    if key not in declared:
        raise RequestError(f"{spec}: {name} has no parameter {key!r}; {nearest(key, declared)}")
    wanted = type(declared[key])
    if wanted is dict:
        nested, given = _read(spec, raw)
        return {"name": nested, **given}
    value = _converted(raw, wanted)
    if value is None:
        raise RequestError(f"{spec}: {key}={raw} is not {_WORDS[wanted]}; the default is {declared[key]!r}")
    if wanted is str and key.endswith(("file", "filename")) and not Path(raw).is_file():
        raise RequestError(f"{spec}: {key}={raw}: there is no such file; give the path of an existing one")
    return value


def _converted(raw: str, wanted: type) -> Any:
    """Return the value of `raw` as `wanted`, or None where it is not one."""
    if wanted is str:
        return raw
    if wanted is bool:
        return _TRUTH.get(raw)
    try:
        number = wanted(raw)
    except ValueError:
        return None
    # OpenSpiel keeps whole numbers in 32 bits.
    legal = abs(number) < 2**31 if wanted is int else math.isfinite(number)
    return number if legal else None


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
