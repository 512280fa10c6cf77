"""`sparring --plugin FILE --disable NAME`: the plugins that a command works with."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sparring.errors import RequestError, nearest
from sparring.registry import Registry, disabled_names

__all__ = ["registry"]


def registry(files: Iterable[Path], disabled: Iterable[str]) -> Registry:
    """The installed plugins and those of the files, without the disabled ones.

    Raises:
        RequestError: there is no such file, or no plugin of a name to disable.
        PluginError: a file offers no plugin, or cannot be run.
    """
    names = [name.strip() for name in disabled]
    made = Registry(disabled=disabled_names() | frozenset(names))
    for path in files:
        made.add_file(path)
    off = {handle for entry in made.switched_off for handle in entry.handles}
    for name in names:
        if name not in off:
            known = {handle for entry in (*made.entries, *made.learners) for handle in entry.handles}
            raise RequestError(f"--disable {name!r}: there is no such plugin; {nearest(name, known)}")
    return made
