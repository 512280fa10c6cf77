"""Objects by import path, once the user has consented to importing them."""

from __future__ import annotations

from typing import Any

from sparring.errors import RequestError, nearest
from sparring.trust import import_trusted

__all__ = ["imported"]


def imported(reference: str, spec: str) -> Any:
    """The object that `package.module:name` stands for; modules of the current folder are found too.

    Raises:
        RequestError: no consent, a malformed reference, or no such module or name.
    """
    module, colon, name = reference.partition(":")
    if not colon or not module or not name:
        raise RequestError(f"{spec}: {reference!r} is no reference, expected package.module:name")
    found: Any = import_trusted(module, spec, f"the module {module!r} is imported and its {name!r} called")
    for part in name.split("."):
        if not hasattr(found, part):
            known = [each for each in dir(found) if not each.startswith("_")]
            raise RequestError(f"{spec}: {module!r} has no {part!r}; {nearest(part, known)}")
        found = getattr(found, part)
    return found
