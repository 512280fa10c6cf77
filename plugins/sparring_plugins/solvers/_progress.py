"""What the loop of iterative solvers carries from one iteration to the next."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sparring.policy import Policy
from sparring.solver import TraceRow

if TYPE_CHECKING:
    from sparring_plugins.solvers._loop import Play

__all__ = ["Progress"]


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    play: Play
    iteration: int = 0
    """Iterations done."""
    steps: int = 0
    seconds: float = 0.0
    gradient_norm: float | None = None
    averaged: Policy | None = None
    """The victim averaged over iterations, by weight."""
    total_weight: float = 0.0
    drawn: Policy | None = None
    """One victim, drawn in proportion to the weights."""
    best: Policy | None = None
    """The victim of the trace whose exploitability was least."""
    trace: tuple[TraceRow, ...] = ()
