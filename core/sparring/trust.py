"""Consent to running code: nothing that a spec names is imported or unpickled before the user has said so.

Most policies are read as numbers. A few specs name code, such as `python:package.module:function`; these ask here
before they import anything. Consent is given for one spec, named in full: with `--trust SPEC`, with the
environment variable SPARRING_TRUST (several specs between semicolons), or with `load_policy(spec, trust=True)`.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from types import ModuleType

from sparring.errors import RequestError
from sparring.specs import parse

__all__ = ["TRUST", "consents", "import_trusted", "require_trust", "trusted", "trusting"]

TRUST = "SPARRING_TRUST"

_given: ContextVar[frozenset[str]] = ContextVar("specs that may run code", default=frozenset())


@contextmanager
def trusting(specs: Iterable[str]) -> Iterator[None]:
    """Consent to what these specs run, while the block lasts."""
    token = _given.set(_given.get() | {spec.strip() for spec in specs})
    try:
        yield
    finally:
        _given.reset(token)


def consents() -> frozenset[str]:
    """The specs that `trusting` blocks consent to here, for worker processes, which start without them."""
    return _given.get()


def trusted(spec: str) -> bool:
    """Whether the user consents to what this spec runs."""
    named = {part.strip() for part in os.environ.get(TRUST, "").split(";") if part.strip()}
    return _meaning(spec) in {_meaning(each) for each in _given.get() | named}


def _meaning(spec: str) -> tuple[object, ...]:
    """A spec without the order and spacing of its options; text that is none stands for itself."""
    try:
        found = parse(spec)
    except RequestError:
        return (spec,)
    return found.family, found.name, *sorted((name, repr(value)) for name, value in found.options.items())


def require_trust(spec: str, runs: str) -> None:
    """Go on only with the user's consent.

    Args:
        spec: the spec as the user wrote it.
        runs: what would run, as a sentence without its full stop.

    Raises:
        RequestError: there is no consent; the line says what would run and how to consent.
    """
    if not trusted(spec):
        raise RequestError(
            f"{spec}: this runs code: {runs}; if you trust it, say --trust '{spec}', {TRUST}='{spec}', "
            "or trust=True in Python"
        )


def import_trusted(module: str, spec: str, runs: str) -> ModuleType:
    """Import a module that a spec names, once there is consent; those in the current folder are found too.

    Args:
        module: its name.
        spec: the spec as the user wrote it.
        runs: what would run, as for `require_trust`.

    Raises:
        RequestError: there is no consent, no such module, or its import fails.
    """
    require_trust(spec, runs)
    here = str(Path.cwd())
    added = here not in sys.path and "" not in sys.path
    if added:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(module)
    except Exception as error:  # a module may raise anything while it is imported
        line = " ".join(str(error).split())
        raise RequestError(f"{spec}: importing {module!r} fails: {type(error).__name__}: {line}") from error
    finally:
        if added:
            sys.path.remove(here)
