"""The door at which changes of vectors are charged: whatever is proposed, what comes out lies within the budget."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.errors import RequestError
from sparring.projection import project_ball

__all__ = ["bounded_change", "moved"]

Floats = NDArray[np.float64]
Array = NDArray[Any]
ROUNDINGS = 8
"""Roundings, besides one for each feature, that measuring a norm in float64 stands for."""
EPSILON = float(np.finfo(np.float64).eps)
LEAST = 1e-290
"""Changes smaller than this are none: so close to 0 numbers round by more than their relative error."""


def bounded_change(proposal: Array, ball: Ball, radius: float, who: str) -> Floats:
    """The change that a proposal buys, in the units of what is changed.

    Args:
        proposal: in units of the budget, [batch, *features]; inside the unit ball it is taken as it is, elsewhere
            the nearest point of the ball.
        ball: norm and scale.
        radius: the budget.
        who: the attacker, for messages.

    Returns:
        [batch, *features], float64: `size(change / scale) <= radius`, measured without rounding.

    Raises:
        RequestError: a proposal is not a number.
    """
    units = np.asarray(proposal, dtype=np.float64)
    if not np.isfinite(units).all():
        raise RequestError(f"{who}: proposes something that is not a number")
    flat = units.reshape(len(units), -1)
    limit = radius if ball.scale is None else np.asarray(ball.scale, dtype=np.float64).reshape(-1) * radius
    if ball.norm == "inf":  # numbers up to 1 times a limit round to no more than the limit
        change = np.minimum(np.maximum(flat, -1.0), 1.0) * limit
    else:
        # The projection and these products round; what they may add is taken off beforehand.
        inside = project_ball(flat, 1.0, ball.norm)
        change = inside * (limit * (1 - 2 * (flat.shape[1] + ROUNDINGS) * EPSILON))
    return np.asarray(np.where(np.abs(change) < LEAST, 0.0, change).reshape(units.shape))


def moved(start: Array, change: Floats, low: Floats | None = None, high: Floats | None = None) -> Array:
    """`start + change`, clipped to a domain, in the type of `start`, and nowhere further away than `change` says.

    Sums are rounded towards `start`, so that no rounding leaves a ball that `change` lies in. Entries that do not
    change are those of `start` bit for bit, within the domain or not.

    Args:
        start: [batch, *features]; whole numbers become float64.
        change: [batch, *features].
        low: least legal value of each feature; where `start` lies below it, `start` is.
        high: greatest legal value of each feature; where `start` lies above it, `start` is.
    """
    kind = start.dtype if start.dtype.kind == "f" else np.dtype(np.float64)
    origin = np.asarray(start, dtype=kind)
    wide = np.asarray(origin, dtype=np.float64)
    goal = wide + change
    if low is not None:
        goal = np.maximum(goal, np.minimum(low, wide))
    if high is not None:
        goal = np.minimum(goal, np.maximum(high, wide))
    reached = goal.astype(kind)
    # The sum and the change of type are out by little more than half a step of that type together.
    found = np.asarray(reached, dtype=np.float64)
    further = _beyond(found, wide, change)
    if low is not None or high is not None:
        further |= (np.abs(found - wide) > np.abs(goal - wide)) & (found != goal)
    reached = np.where(further, np.nextafter(reached, origin), reached)
    return np.where(goal == wide, origin, reached)


def _beyond(reached: Floats, start: Floats, change: Floats) -> NDArray[np.bool_]:
    """Whether `reached` is further from `start` than the change, without rounding."""
    away = reached - start
    size, limit = np.abs(away), np.abs(change)
    further = size > limit
    level = size == limit
    if level.any():
        other = away - reached
        rest = (reached - (away - other)) - (start + other)  # `away + rest` is the difference exactly (Knuth's two-sum)
        further |= level & (rest * np.sign(away) > 0)
    return np.asarray(further)
