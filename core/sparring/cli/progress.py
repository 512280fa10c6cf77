"""A progress bar on a terminal, and nothing elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

__all__ = ["Advance", "progress_bar"]


class Advance(Protocol):
    """Moves a bar: how much is done, and what is being done."""

    def __call__(self, done: int, what: str) -> None:
        """Show it."""


@contextmanager
def progress_bar(total: int, what: str) -> Iterator[Advance]:
    """Show a bar on standard error while the block runs, if that is a terminal."""
    from rich.console import Console
    from rich.progress import Progress

    bar = Progress(console=Console(stderr=True), disable=not sys.stderr.isatty(), transient=True)
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda done, what: bar.update(task, completed=done, description=what)
