"""What can go wrong, told apart by whose mistake it is."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["MissingError", "RefusedError", "RequestError", "SparringError", "article", "nearest"]


class SparringError(Exception):
    """Base of every error that Sparring raises on purpose."""


class RequestError(SparringError):
    """The request was wrong: one line says what, where, and the nearest legal choice (exit code 2)."""


class RefusedError(RequestError):
    """This form, threat or policy cannot do what was asked; the line names what is missing and why."""


class MissingError(RefusedError):
    """Something is not installed that this needs; the line names it and says how to get it."""


def article(noun: str) -> str:
    """A noun with its indefinite article."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"


def nearest(word: str, choices: Iterable[str], *, limit: int = 8) -> str:
    """Say which of `choices` was probably meant: "did you mean 'x'?" or the list of what there is."""
    known = sorted(choices)
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    if close:
        return f"did you mean {close[0]!r}?"
    if not known:
        return "there is none"
    shown = ", ".join(known[:limit]) + (", ..." if len(known) > limit else "")
    return f"choose from: {shown}"
