"""Solvers: they look for the victim whose exploitability is least."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from sparring.attack_game import AttackGame, Effort, Operation, Optimum
from sparring.plugin import Plugin
from sparring.policy import Policy

__all__ = ["Answer", "PolicyKind", "Run", "Solver", "TraceRow"]

PolicyKind = Literal["last", "averaged", "best", "drawn", "optimal"]
"""Which policy a solver hands over; exploitability of a last iterate and of an average are never mixed up."""


@dataclass(frozen=True)
class TraceRow:
    """What is known of the victim after some iterations; all exploitabilities are of the attack game."""

    iteration: int
    steps: int
    """Simulator steps, or passes over the game's arrays, so far; scoring the trace is not counted."""
    seconds: float
    """Time spent solving so far, without scoring the trace."""
    last: float
    """Exploitability of the last iterate."""
    averaged: float | None
    """Exploitability of the averaged policy; None where the form's average has no exact one."""
    mean: float | None
    """Average over the iterates seen in the trace of their exploitability (theorem 5.3 bounds it)."""
    gap: float | None
    """`last` less the optimum, where that is known."""
    gradient_norm: float | None


@dataclass(frozen=True)
class Run:
    """How a solver is to run."""

    iterations: int
    seed: int = 0
    effort: Effort | None = None
    """How much work each trained response may take; exact forms ignore it."""
    score_effort: Effort | None = None
    """How much work the scoring of each row of the trace may take; exact forms ignore it."""
    trace_every: int | None = None
    """Iterations between rows of the trace; None chooses about a hundred rows."""
    optimum: Optimum | None = None
    """The best there is, where known, for the gap."""
    report: Callable[[TraceRow], None] | None = None
    """Called with each row as it is made."""
    folder: Path | None = None
    """Where checkpoints go, so that an interrupted run resumes; None for none."""

    @property
    def stride(self) -> int:
        """Iterations between rows of the trace."""
        return max(1, self.iterations // 100) if self.trace_every is None else self.trace_every


@dataclass(frozen=True)
class Answer:
    """What a solver found."""

    policy: Policy
    kind: PolicyKind
    trace: tuple[TraceRow, ...]
    attacker: Policy | None = None
    """The attacker it trained against last, where it keeps one."""
    optimum: Optimum | None = None
    interrupted: bool = False
    """Whether it was stopped before its iterations were done; what was reached is still here."""


class Solver(Plugin):
    """Finds a robust victim for an attack game."""

    kind: ClassVar[str] = "solver"
    needs: ClassVar[frozenset[Operation]] = frozenset()
    """Operations without which it cannot work; the core refuses attack games that lack one before it starts."""
    finds_optimum: ClassVar[bool] = False
    """Whether its answer is the optimum itself, so that none needs to be computed beforehand for the gap."""

    @abstractmethod
    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Solve.

        Raises:
            RefusedError: this attack game cannot do something that `needs` has no word for.
        """
