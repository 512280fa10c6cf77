"""Float64 arithmetic that errs to one side, so that what is proved survives the rounding of the proof itself."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["above", "below", "cast_above", "cast_below", "euclidean_above", "sum_above"]

Floats = NDArray[np.float64]
EPS = 2.0**-52
"""Twice the greatest relative error of one float64 operation."""


def above(value: Floats | float, operations: int = 1) -> Floats:
    """A number that is not below the real result.

    Args:
        value: what float64 gave, rounded at most `operations` times, each time by a relative error of at most
            2^-53 of a number no larger than `value` in size (sums of numbers of one sign, products, roots).
        operations: how often it was rounded. Twice that error is added, which pays for this function's own
            rounding, and one step to the next float, which pays for underflow.
    """
    given = np.asarray(value, dtype=np.float64)
    return np.asarray(np.nextafter(given + operations * EPS * np.abs(given), np.inf))


def below(value: Floats | float, operations: int = 1) -> Floats:
    """A number that is not above the real result; see `above`."""
    return -above(-np.asarray(value, dtype=np.float64), operations)


def sum_above(parts: Floats) -> Floats:
    """Not below the sum of numbers from 0 along the last axis, in whatever order it is taken."""
    return above(parts.sum(axis=-1), parts.shape[-1])


def euclidean_above(parts: Floats) -> Floats:
    """Not below the Euclidean length of rows along the last axis; squares neither overflow nor vanish."""
    largest = np.max(np.abs(parts), axis=-1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    scaled = np.abs(parts) / unit[..., None]
    length = np.sqrt((scaled * scaled).sum(axis=-1)) * unit
    # Each square is rounded twice and the sum once a part; root and product follow. What vanishes below 2^-1022
    # beside a part of 1 is far below the last digit.
    return above(length, parts.shape[-1] + 5)


def cast_above(values: Floats, dtype: type[np.floating]) -> NDArray[np.floating]:
    """The least numbers of `dtype` that are not below; infinite where there is none."""
    with np.errstate(over="ignore"):
        near = np.asarray(values).astype(dtype)
        return np.where(near < values, np.nextafter(near, dtype(np.inf)), near)


def cast_below(values: Floats, dtype: type[np.floating]) -> NDArray[np.floating]:
    """The greatest numbers of `dtype` that are not above; infinite where there is none."""
    return -cast_above(-np.asarray(values), dtype)
