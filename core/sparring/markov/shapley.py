"""The most robust victim of a zero-sum Markov game: Shapley's iteration, hurried along safely.

Shapley (1953): the value is the fixed point of `(T V)(s) = max_x min_b x^T Q_V(s, ., b)`. One application costs
little here (`sparring.matrix.stage`) and shrinks the residual `max |T V - V|` by `gamma`, which is slow near
`gamma = 1`. So from time to time a Newton step is tried (Pollatschek and Avi-Itzhak 1969): evaluate both stage
strategies exactly. It is quadratic near most solutions and may cycle elsewhere, so it counts only where it halves
the residual, and it is tried the more seldom the more often it fails.

Whatever was tried, the result is certified by two exact best responses: the victim secures `values` and the
attacker concedes no more than `values + gap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError
from sparring.markov import evaluation
from sparring.markov.channels import EffectiveGame
from sparring.markov.policy import MarkovPolicy

if TYPE_CHECKING:
    from sparring.markov.attack_game import MarkovAttackGame

__all__ = ["ShapleySolution", "shapley"]

Floats = NDArray[np.float64]
ROUNDING = 1e-9
"""Gap, in the same units as the tolerance, below which rounding may be what stops progress."""
SELDOM = 32
"""Applications of Shapley's operator between two tries of Newton's step, at most."""
PATIENCE = 4
"""Certified steps that do not halve such a gap, after which rounding is taken to have been reached."""


@dataclass(frozen=True, eq=False)
class ShapleySolution:
    """The solution of the zero-sum effective game."""

    value: float
    """What `victim` secures from the start distribution; within `gap` of the game's value."""
    values: Floats
    """What `victim` secures from each state, [S]: its value against its exact best response."""
    victim: MarkovPolicy
    attacker: MarkovPolicy
    iterations: int
    """Times that all stage games were solved."""
    gap: float
    """Greatest difference over states between what the attacker concedes and what the victim secures."""


@dataclass(frozen=True, eq=False)
class _Point:
    """A candidate `V` with the stage games solved there."""

    victim: Floats
    attacker: Floats
    better: Floats
    """`T V`, [S]."""
    residual: float
    """`max |T V - V|`."""


def shapley(duel: MarkovAttackGame, tolerance: float = 1e-12, max_iterations: int = 100_000) -> ShapleySolution:
    """Solve a Markov attack game in which the victim sees the state.

    Args:
        duel: partial control by a coin at every decision, action or dynamics attacks, or compositions of them.
        tolerance: greatest gap over states, in units of `max(1, max |r| / (1 - gamma))`. Where rounding does
            not allow it the best certified pair is returned; its `gap` says how good it is.
        max_iterations: times that all stage games may be solved.

    Raises:
        RefusedError: the victim does not see the state; no saddle point is known then (thesis, theorem 6.2.6).
        ArithmeticError: `max_iterations` are not enough.
    """
    if not duel.sees_state:
        raise RefusedError(
            f"shapley on {duel.game.spec}: {duel.can.why['respond:victim']}; choose min-oracle or two-timescale"
        )
    return _Search(duel, tolerance, max_iterations).run()


class _Search:
    """The loop, and the best certified pair so far."""

    def __init__(self, duel: MarkovAttackGame, tolerance: float, max_iterations: int) -> None:
        self.game: EffectiveGame = duel.effective
        self.gamma = duel.game.gamma
        self.seat = duel.victim_player
        self.scale = max(1.0, float(np.abs(self.game.reward).max()) / (1 - self.gamma))
        self.tolerance = tolerance * self.scale
        # A residual `r` leaves a gap of at most `2 r / (1 - gamma)`; below some roundings it says nothing more.
        self.near = max(self.tolerance * (1 - self.gamma) / 2, 16 * np.finfo(np.float64).eps * self.scale)
        self.left = self.limit = max_iterations
        self.best: ShapleySolution | None = None
        self.stale = 0

    def run(self) -> ShapleySolution:
        """Go on until a pair of strategies is certified."""
        here = self._at(np.zeros(self.game.shape[0]))
        wait = due = 1
        while True:
            if here.residual <= self.near:
                self.best = self._certified(here)
                if self._settled(self.best):
                    return self.best
            due -= 1
            if due == 0:
                there = self._at(evaluation.chain(self.game, self.gamma, here.victim, here.attacker).values())
                helps = there.residual <= here.residual / 2
                due = wait = 1 if helps else min(2 * wait, SELDOM)
                here = there if helps else self._at(here.better)
            else:
                here = self._at(here.better)

    def _settled(self, best: ShapleySolution) -> bool:
        stuck = best.gap <= ROUNDING * self.scale and self.stale >= PATIENCE
        return stuck or best.gap <= self.tolerance

    def _at(self, values: Floats) -> _Point:
        """Solve every stage game at `values`."""
        from sparring.matrix.stage import solve_stages

        if self.left == 0:
            raise ArithmeticError(f"shapley: not settled after {self.limit} iterations")
        self.left -= 1
        quality = self.game.reward + self.gamma * (self.game.transition @ values).reshape(self.game.shape)
        better, victim, attacker = solve_stages(quality.transpose(0, 2, 1), self.game.legal)
        return _Point(victim, attacker, better, float(np.abs(better - values).max()))

    def _certified(self, point: _Point) -> ShapleySolution:
        """Find both best responses; the better of this pair and the best one so far."""
        lower = evaluation.best_attacker(self.game, self.gamma, point.victim)[1]
        upper = evaluation.best_victim(self.game, self.gamma, point.attacker)[1]
        gap = max(0.0, float((upper - lower).max()))
        self.stale = 0 if self.best is None or gap < self.best.gap / 2 else self.stale + 1
        if self.best is not None and self.best.gap <= gap:
            return self.best
        victim, attacker = MarkovPolicy(point.victim, self.seat), MarkovPolicy(point.attacker)
        used = self.limit - self.left
        return ShapleySolution(float(self.game.rho @ lower), lower, victim, attacker, used, gap)
