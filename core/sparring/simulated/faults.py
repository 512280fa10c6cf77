"""What goes wrong inside a simulator."""

from __future__ import annotations

from sparring.errors import SparringError

__all__ = ["WorldError"]


class WorldError(SparringError):
    """The simulator failed: one line says in which episode and how."""
