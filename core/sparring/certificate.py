"""Certificates: what is proved of a victim's return, for the upper end of the exploitability interval."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

__all__ = ["Certificate"]


@dataclass(frozen=True)
class Certificate:
    """No attacker within the budget brings the victim's return below `least_return`."""

    backend: str
    least_return: float | None
    """None where nothing could be proved; 'unknown' is never 'safe'."""
    over: Literal["distribution"] | tuple[int, ...] = "distribution"
    """What it speaks of: the start distribution, or a list of seeds."""
    confidence: float | None = None
    """None where it holds for certain."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What else was proved on the way, as JSON values: certified radii, bounds on the change of action ..."""
