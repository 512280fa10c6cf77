"""What a search ranges over: an oracle's typed options, or what the user says of them."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from sparring.errors import RequestError, nearest
from sparring.oracle import Oracle
from sparring.specs import several

__all__ = ["Dimension", "space_of"]

DECADES = 100
"""Greatest over least value from which on a range is searched by its logarithm."""
REACH = 100
"""Where a range has no least value but all above 0: how far below the default it is searched."""


@dataclass(frozen=True)
class Dimension:
    """One setting, and what it is searched over."""

    name: str
    whole: bool = False
    low: float = 0.0
    high: float = 0.0
    log: bool = False
    choices: tuple[Any, ...] = ()
    """In place of a range."""

    def __str__(self) -> str:
        """In words that `over` would take."""
        if self.choices:
            return "|".join(str(choice).lower() if isinstance(choice, bool) else str(choice) for choice in self.choices)
        return f"{self.low:g}..{self.high:g}{' log' if self.log else ' linear'}"


def space_of(oracle: type[Oracle], over: str, fixed: Mapping[str, Any]) -> tuple[Dimension, ...]:
    """The space of an oracle's settings.

    Args:
        oracle: whose.
        over: `steps=5..50;rate=0.01..1 log;noise=none|langevin`; empty for all options that have limits or choices.
        fixed: options that the user has given a value, which are not searched.

    Raises:
        RequestError: an option that there is not, a range that is none, or nothing to search.
    """
    fields = oracle.Options.model_fields
    if over:
        found = [_asked(oracle, part, fixed) for part in several(over)]
    else:
        derived = [_derived(name, field) for name, field in fields.items() if name not in fixed and _open(field)]
        found = [dimension for dimension in derived if dimension is not None]
    if not found:
        raise RequestError(
            f"oracle search: {oracle.name} has no option with limits or choices to search; name some with over=..."
        )
    names = [dimension.name for dimension in found]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise RequestError(f"oracle search: over names {twice[0]!r} twice")
    return tuple(found)


def _open(field: FieldInfo) -> bool:
    """Whether the option is searched where nobody says so; those that are amounts of work say no."""
    extra = field.json_schema_extra
    return not (isinstance(extra, dict) and extra.get("searched") is False)


def _derived(name: str, field: FieldInfo) -> Dimension | None:
    """By the field's type and limits; None where these do not bound it."""
    kind = field.annotation
    if get_origin(kind) is Literal:
        return Dimension(name, choices=get_args(kind))
    if kind is bool:
        return Dimension(name, choices=(False, True))
    if kind not in (int, float):
        return None
    limits = {part: getattr(limit, part) for limit in field.metadata for part in ("ge", "gt", "le", "lt")
              if getattr(limit, part, None) is not None}  # fmt: skip
    high = limits.get("le", limits.get("lt"))
    low = limits.get("ge", limits.get("gt"))
    if low is None or high is None:
        return None
    if kind is float and "gt" in limits and low == 0 and field.default:
        low = field.default / REACH
    if kind is float and "lt" in limits:
        high -= (high - low) / 1000  # the limit itself is illegal
    return _ranged(name, kind is int, float(low), float(high), None)


def _asked(oracle: type[Oracle], part: str, fixed: Mapping[str, Any]) -> Dimension:
    name, equals, text = (word.strip() for word in part.partition("="))
    fields = oracle.Options.model_fields
    if name not in fields:
        raise RequestError(f"oracle search: {oracle.name} has no option {name!r}; {nearest(name, fields)}")
    if name in fixed:
        raise RequestError(f"oracle search: {name} is given a value and searched; leave one of them out")
    low, dots, rest = text.partition("..")
    found = Dimension(name, choices=tuple(word.strip() for word in text.split("|")))
    if dots:
        high, _, manner = rest.strip().partition(" ")
        found = _ranged(name, _whole(fields[name]), _number(part, low), _number(part, high), manner.strip() or None)
    elif not equals or not text or len(found.choices) < 2:
        raise RequestError(f"oracle search: {part!r}, expected {name}=LOW..HIGH or {name}=ONE|OTHER")
    for value in found.choices or (found.low, found.high):
        oracle(**{name: int(value) if found.whole else value})  # refuses by its own limits
    return found


def _ranged(name: str, whole: bool, low: float, high: float, manner: str | None) -> Dimension:
    if manner not in (None, "log", "linear"):
        raise RequestError(f"oracle search: {name} is searched {manner!r}, expected log or linear")
    if not low < high or (manner == "log" and low <= 0):
        raise RequestError(f"oracle search: {name}={low:g}..{high:g} is no range{' for log' if low < high else ''}")
    spans = low > 0 and high / low >= DECADES
    return Dimension(name, whole, low, high, spans if manner is None else manner == "log")


def _whole(field: FieldInfo) -> bool:
    kind = field.annotation
    options = get_args(kind) if get_origin(kind) in (Union, types.UnionType) else (kind,)
    return int in options and float not in options


def _number(part: str, text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise RequestError(f"oracle search: {part!r}: {text.strip()!r} is no number") from None
