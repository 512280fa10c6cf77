"""What a declared access and a budget allow at one step of an episode, derived apart from the core's channels."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import ActionAccess, Ball, ChargedAccess, DynamicsAccess, ObservationAccess
from sparring.budgets import Charge
from sparring.simulated.spaces import Box, Space
from sparring.testing.logged import Moment

__all__ = ["Tally", "fault_of"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]
ROUNDING = 1e-6
"""Of single precision, in which some observations are."""
DEVIATIONS = 7.0
"""How far above its mean a count of coins may lie."""


@dataclass
class Tally:
    """How often a coin should have fallen for the attacker at most, and how often it did, over many episodes."""

    expected: Counter[int] = field(default_factory=Counter)
    spread: Counter[int] = field(default_factory=Counter)
    seen: Counter[int] = field(default_factory=Counter)

    def add(self, place: int, chance: float, steps: int, changed: int) -> None:
        """Take in some steps of the part in that place."""
        self.expected[place] += steps * chance  # type: ignore[assignment]  # counts of expectations are no integers
        self.spread[place] += steps * chance * (1 - chance)  # type: ignore[assignment]  # as above
        self.seen[place] += changed

    @property
    def fault(self) -> str:
        """What is wrong with the counts; nothing where they are within chance."""
        for place, seen in self.seen.items():
            limit = self.expected[place] + DEVIATIONS * math.sqrt(self.spread[place]) + 1e-9
            if seen > limit:
                return f"it changed {seen} steps where its probability gives it {self.expected[place]:.0f} on average"
        return ""


def fault_of(charged: Sequence[ChargedAccess], moments: Sequence[Moment], action: Space, tally: Tally) -> str:
    """What in some episodes goes beyond what was charged; nothing where all is within the budget."""
    faults = [_untouched(charged, moment) for moment in moments]
    for place, part in enumerate(charged):
        access = part.access
        if isinstance(access, ObservationAccess) and access.ball is not None:
            faults.append(_observation(part, access, access.ball, moments, (place, tally)))
        elif isinstance(access, ActionAccess):
            faults.append(_action(part, access, moments, action, (place, tally)))
        elif isinstance(access, DynamicsAccess):
            faults.append(_dynamics(part, access, moments))
    return next((fault for fault in faults if fault), "")


def _untouched(charged: Sequence[ChargedAccess], moment: Moment) -> str:
    """Whether something has changed that nobody was charged for."""
    accesses = [part.access for part in charged]
    rows = moment.running
    if not any(isinstance(access, ObservationAccess) for access in accesses) and _differ(
        moment.shown, moment.truth, rows
    ):
        return "the victim is shown something else than what is true, which the threat does not touch"
    if not any(isinstance(access, ActionAccess) for access in accesses) and _differ(moment.sent, moment.acted, rows):
        return "the world is sent something else than the victim's action, which the threat does not touch"
    if not any(isinstance(access, DynamicsAccess) for access in accesses) and moment.turned:
        return "the dynamics are changed, which the threat does not touch"
    return ""


def _differ(one: Array, other: Array, rows: Flags) -> bool:
    return bool((np.asarray(one)[rows] != np.asarray(other)[rows]).any())


def _observation(
    part: ChargedAccess, access: ObservationAccess, ball: Ball, moments: Sequence[Moment],
    count: tuple[int, Tally],
) -> str:  # fmt: skip
    mixes = part.budget.kind.charge is Charge.MIX
    radius = 1.0 if mixes else part.budget.value
    chance = access.timing.share * (part.budget.value if mixes else 1.0)
    used = np.zeros(len(moments[0].truth), dtype=np.int64)
    for moment in moments:
        start, shown = moment.truth.astype(np.float64), moment.shown.astype(np.float64)
        size = _size(shown - start, ball)[moment.running]
        slack = ROUNDING * max(1.0, radius) + ROUNDING * float(np.abs(start).max(initial=0.0))
        if not (size <= radius + slack).all():
            return f"with a budget of {part.budget.value:g} it shows an observation of size {size.max():.9g}"
        if _outside(shown, start, ball.low, ball.high)[moment.running].any():
            return "it shows an observation outside of the limits that the threat declares"
        changed = (moment.shown != moment.truth).reshape(len(shown), -1).any(axis=1) & moment.running
        used += changed
        count[1].add(count[0], chance, int(moment.running.sum()), int(changed.sum()))
    if access.timing.most is not None and used.max(initial=0) > access.timing.most:
        return f"it uses {used.max()} steps of an episode, the threat declares {access.timing.most}"
    return ""


def _size(change: Array, ball: Ball) -> Array:
    """In units of the ball's scale, [batch]; a change where the scale is 0 is infinitely large."""
    if len(change) == 0:
        return np.zeros(0)
    flat = np.abs(change.reshape(len(change), -1))
    scale = np.ones(flat.shape[1]) if ball.scale is None else np.asarray(ball.scale, dtype=np.float64).reshape(-1)
    units = np.where(flat > 0, np.divide(flat, scale, out=np.full_like(flat, np.inf), where=scale > 0), 0.0)
    return np.asarray(np.linalg.norm(units, ord={"inf": np.inf, "2": 2, "1": 1}[ball.norm], axis=1))


def _outside(shown: Array, start: Array, low: Any, high: Any) -> Array:
    """Rows in which an entry that was within the limits has left them."""
    below = np.zeros_like(shown, dtype=np.bool_) if low is None else shown < np.minimum(low, start) - ROUNDING
    above = np.zeros_like(shown, dtype=np.bool_) if high is None else shown > np.maximum(high, start) + ROUNDING
    return np.asarray((below | above).reshape(len(shown), -1).any(axis=1))


def _action(
    part: ChargedAccess, access: ActionAccess, moments: Sequence[Moment], space: Space, count: tuple[int, Tally]
) -> str:
    eps = part.budget.value
    for moment in moments:
        rows = moment.running
        sent, acted = (np.asarray(moves, dtype=np.float64)[rows] for moves in (moment.sent, moment.acted))
        if len(sent) == 0:
            continue
        if access.ball is not None:
            size = _size(sent - acted, access.ball)
            if not (size <= eps + ROUNDING * max(1.0, eps)).all():
                return f"with a budget of {eps:g} it changes an action by {size.max():.9g}"
            continue
        changed = (sent != acted).reshape(len(sent), -1).any(axis=1)
        if access.mode == "mix":
            wanted = np.divide(sent - (1 - eps) * acted, eps, out=np.zeros_like(sent), where=eps > 0)
            if eps == 0 and changed.any():
                return "with a budget of 0 it changes actions"
        else:
            wanted = np.where(changed.reshape(-1, *(1 for _ in sent.shape[1:])), sent, 0.0)
            count[1].add(count[0], eps, len(sent), int(changed.sum()))
        if isinstance(space, Box) and not _legal(wanted[changed], space, eps):
            return "the attacker's part of an action is none of the game's actions"
    return ""


def _legal(wanted: Array, space: Box, eps: float) -> bool:
    room = ROUNDING / max(eps, 1e-3) * np.maximum(1.0, np.abs(space.high - space.low))
    return bool(((wanted >= space.low - room) & (wanted <= space.high + room)).all())


def _dynamics(part: ChargedAccess, access: DynamicsAccess, moments: Sequence[Moment]) -> str:
    ball = Ball() if access.ball is None else access.ball
    for moment in moments:
        for knobs, values, where in moment.turned:
            ends = np.cumsum([knob.width for knob in knobs])[:-1]
            for turned in np.split(np.asarray(values, dtype=np.float64)[where], ends, axis=1):
                size = _size(turned, ball)
                if len(size) and not (size <= part.budget.value * (1 + ROUNDING)).all():
                    return f"with a budget of {part.budget.value:g} it changes the dynamics by {size.max():.9g}"
    return ""
