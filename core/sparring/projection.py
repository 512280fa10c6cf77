"""Euclidean projections: onto simplices, where policies live, and onto balls, where changes live."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["Norm", "project_ball", "project_simplex"]

Norm = Literal["inf", "2", "1"]
Floats = NDArray[np.float64]
LARGE = 2.0**512
"""What rows are divided by whose length is beyond all numbers, though no entry is; it rounds nothing."""


def project_simplex(points: Floats) -> Floats:
    """Project each row of `points` [..., n] onto the probability simplex (Held, Wolfe, Crowder 1974).

    Returns:
        Array of the same shape; rows are non-negative and sum to one.
    """
    # Adding a constant to a row does not move its projection; without the largest entry sums stay small. What lies more
    # than 1 below the largest becomes 0 wherever it lies, so that no sum overflows.
    shifted = np.maximum(points - points.max(axis=-1, keepdims=True), -2.0)
    ordered = -np.sort(-shifted, axis=-1)
    excess = np.cumsum(ordered, axis=-1) - 1.0
    rank = np.arange(1, points.shape[-1] + 1)
    kept = np.count_nonzero(ordered - excess / rank > 0, axis=-1, keepdims=True)
    threshold = np.take_along_axis(excess, kept - 1, axis=-1) / kept
    return np.asarray(np.maximum(shifted - threshold, 0.0))


def project_ball(change: Floats, radius: float | Floats, norm: Norm) -> Floats:
    """Project each row of `change` [..., n] onto the ball of that norm around 0.

    Args:
        change: proposed changes, [..., n].
        radius: one number a row for "2" and "1"; for "inf" anything that broadcasts against `change`.
        norm: "inf", "2" or "1".

    Returns:
        Array of the shape of `change`, inside the ball; changes inside already are returned unmoved.
    """
    if norm == "inf":
        return np.clip(change, -np.asarray(radius), radius)
    limit = np.broadcast_to(np.asarray(radius, dtype=np.float64), change.shape[:-1])[..., None]
    if norm == "2":
        with np.errstate(over="ignore"):
            length = _length(change)
        beyond = np.isinf(length)
        if beyond.any():  # the same direction, at a length that is a number
            change = np.where(beyond, change / LARGE, change)
            length = _length(change)
        return change * np.divide(limit, length, out=np.ones_like(length), where=beyond | (length > limit))
    away, unit = np.abs(change), np.where(limit > 0, limit, 1.0)
    with np.errstate(over="ignore"):  # a sum beyond all numbers lies outside of the ball all the same
        size, points = np.sum(away, axis=-1, keepdims=True), away / unit
    outside = np.isinf(points).any(axis=-1, keepdims=True)
    if outside.any():
        # Adding a constant moves no projection onto a simplex, nor does what lies far below the largest.
        below = np.maximum(away - away.max(axis=-1, keepdims=True), -2.0 * unit) / unit
        points = np.where(outside, below, points)
    shrunk = np.sign(change) * project_simplex(points) * limit
    return np.where(size > limit, shrunk, change)


def _length(change: Floats) -> Floats:
    """Euclidean norm of each row, [..., 1]; squares neither overflow nor vanish, so no change is too small to see."""
    largest = np.max(np.abs(change), axis=-1, keepdims=True, initial=0.0)
    scaled = change / np.where(largest > 0, largest, 1.0)
    return np.asarray(largest * np.sqrt(np.sum(scaled * scaled, axis=-1, keepdims=True)))
