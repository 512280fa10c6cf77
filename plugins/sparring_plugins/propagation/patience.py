"""A word on the terminal where something takes long that nobody asked for."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any

__all__ = ["patience", "patiently"]


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


_met: set[tuple[Callable[..., Any], Hashable]] = set()
"""Kernels and types for which there is machine code in this process."""


def patiently(kernel: Callable[..., Any], types: Hashable, *arguments: Any) -> None:
    """Call a kernel with arguments of such types, which is compiled at first."""
    if (kernel, types) in _met:
        kernel(*arguments)
        return
    with patience("compiling the bounds of networks, once on this machine; it takes half a minute"):
        kernel(*arguments)
    _met.add((kernel, types))
