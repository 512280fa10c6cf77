"""Places in work spaces of compiled calls, in numbers."""

from __future__ import annotations

from sparring_plugins.propagation.kernels.calling import register
from sparring_plugins.propagation.kernels.tables import LANES

__all__ = ["Room", "apart", "full"]

SPREAD = 1024
"""Bytes; lines that a multiple of it lies between drive each other out of the nearest cache."""


class Room:
    """Places handed out one after the other."""

    def __init__(self, used: int = 0) -> None:
        self.used = used

    def take(self, size: int) -> int:
        """The first of so many numbers; full registers begin there."""
        start = self.used
        self.used += full(size, LANES)
        return start


def full(size: int, lanes: int) -> int:
    """Rounded up to full registers, with so many numbers in one."""
    return -(-size // lanes) * lanes


def apart(size: int, lanes: int) -> int:
    """How far apart lines of so many numbers begin."""
    step = full(size, lanes)
    return step if step * register() % (SPREAD * lanes) else step + lanes
