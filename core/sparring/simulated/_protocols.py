"""Telling protocols apart once for each class, since Python's own answer takes longer than a small network does."""

from __future__ import annotations

from typing import Any

__all__ = ["follows"]

_known: dict[tuple[type, type], bool] = {}


def follows(thing: object, protocol: Any) -> bool:
    """`isinstance(thing, protocol)` of a runtime protocol, remembered for the class of the thing."""
    key = type(thing), protocol
    found = _known.get(key)
    if found is None:
        found = _known[key] = isinstance(thing, protocol)
    return found
