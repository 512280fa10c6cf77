"""Families of games that are made by name, or read from a file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from pydantic import Field

from sparring.errors import RequestError, nearest
from sparring.game import Game
from sparring.plugin import NoOptions, PluginOptions
from sparring.specs import Scalar

__all__ = ["FileOptions", "make_named", "options_of_named"]


class FileOptions(PluginOptions):
    """Of `file`."""

    path: str = Field(description="the file to read")


def options_of_named(name: str, options: Mapping[str, type[PluginOptions]]) -> type[PluginOptions]:
    """The options of a game of such a family; games that are not in `options` have none."""
    return FileOptions if name == "file" else options.get(name, NoOptions)


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
    try:
        return makers[name](**options)
    except TypeError as error:
        raise RequestError(f"{family}:{name}: {error}") from error
