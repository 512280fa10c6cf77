"""Which plugins took part in a piece of work, noted where they are made rather than guessed from what was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

__all__ = ["note", "noted"]

_NOTED: ContextVar[tuple[set[tuple[str, str]], ...]] = ContextVar("plugins noted", default=())


@contextmanager
def noted() -> Iterator[set[tuple[str, str]]]:
    """Note kind and `distribution:name` of every plugin and learner that is made while the block runs."""
    found: set[tuple[str, str]] = set()
    token = _NOTED.set((*_NOTED.get(), found))
    try:
        yield found
    finally:
        _NOTED.reset(token)


def note(kind: str, name: str) -> None:
    """Say that a plugin takes part; nobody may be listening."""
    for found in _NOTED.get():
        found.add((kind, name))
