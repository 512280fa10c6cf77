"""A word on the terminal where something takes long that nobody asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["patience"]


@contextmanager
def patience(what: str, seconds: float = 2.0) -> Iterator[None]:
    """Say what it is, on standard error, if that is a terminal and the block takes longer than so many seconds."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(seconds, print, (f"sparring: {what}",), {"file": sys.stderr, "flush": True})
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
