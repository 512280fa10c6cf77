"""Families of games that are made by name, or read from a file."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sparring.errors import RequestError, nearest
from sparring.game import Game
from sparring.specs import Scalar

__all__ = ["make_named"]


def make_named(
    family: str,
    name: str,
    options: Mapping[str, Scalar],
    makers: Mapping[str, Callable[..., Game]],
    from_path: Callable[[Path], Game],
) -> Game:
    """Call the maker of a name with its options.

    Raises:
        RequestError: no such name or option, or an option of the wrong type.
    """
    if name == "file" or "/" in name or name.endswith((".npz", ".json", ".csv")):
        path = options.get("path", "") if name == "file" else name
        if not isinstance(path, str) or not path:
            raise RequestError(f"{family}:file: expected {family}:file(path=FILE)")
        return from_path(Path(path).expanduser())
    if name not in makers:
        raise RequestError(f"unknown game '{family}:{name}': {nearest(name, [*makers, 'file'])}")
    maker: Any = makers[name]
    known = inspect.signature(maker).parameters
    for option in options:
        if option not in known:
            raise RequestError(f"{family}:{name}: there is no option {option!r}; {nearest(option, known)}")
    try:
        game: Game = maker(**options)
    except TypeError as error:
        raise RequestError(f"{family}:{name}: {error}") from error
    return game
