"""Halves an image as PIL's bilinear filter does, number for number."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["resized"]

PRECISION = 22
"""Bits behind the point in PIL's fixed-point weights for 8-bit images."""


def resized(image: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Resize a grey image [rows, columns]; rounds to whole numbers after each of the two directions, columns first."""
    across = _applied(image.astype(np.int64), _weights(image.shape[1], width).T)
    return _applied(_weights(image.shape[0], height), across).astype(np.uint8)


def _applied(left: NDArray[np.int64], right: NDArray[np.int64]) -> NDArray[np.int64]:
    rounded: NDArray[np.int64] = (left @ right + (1 << (PRECISION - 1))) >> PRECISION
    return np.clip(rounded, 0, 255)


@functools.cache
def _weights(old: int, new: int) -> NDArray[np.int64]:
    """Weight of every old pixel in every new one, [new, old], in units of 2**-22: a tent as wide as it needs."""
    scale = old / new
    reach = max(scale, 1.0)
    table = np.zeros((new, old), dtype=np.int64)
    for place in range(new):
        centre = (place + 0.5) * scale
        first = max(int(centre - reach + 0.5), 0)
        last = min(int(centre + reach + 0.5), old)
        tent = np.maximum(1.0 - np.abs((np.arange(first, last) - centre + 0.5) / reach), 0.0)
        table[place, first:last] = [math.floor(0.5 + share * (1 << PRECISION)) for share in tent / tent.sum()]
    return table
