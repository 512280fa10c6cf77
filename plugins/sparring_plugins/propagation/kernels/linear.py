"""Boxes through a linear layer whose matrix stays in the processor's cache: one pass for both ends and the error."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.compiling import number, sum_kernel, view_of

__all__ = ["linear_boxes"]


@sum_kernel
def linear_boxes(
    low: int, high: int, weight: int, bias: int, ends: int, batch: int, entries: int, rows: int,
    share: float, unsure: float, least: float, one: Any,
) -> None:  # fmt: skip
    """Write [3, batch, rows]: both ends and the error, as `Affine.interval_and_error` has them.

    Of the arguments:
        low, high: [batch, entries].
        weight: [rows, entries].
        bias: [rows] or 0.
        share: what the box is widened by.
        unsure, least: relative and absolute part of the error.
    """
    lows, highs = carray(view_of(low, one), (batch, entries)), carray(view_of(high, one), (batch, entries))
    matrix, out = carray(view_of(weight, one), (rows, entries)), carray(view_of(ends, one), (3, batch, rows))
    shift, part = carray(view_of(bias, one), (rows,)), number(share, one)
    loose, small = number(unsure, one), number(least, one)
    zero, half = one - one, number(0.5, one)
    space = np.empty((3, entries), lows.dtype)
    center, radius, size = space[0], space[1], space[2]
    for b in range(batch):
        for i in range(entries):
            x, y = lows[b, i], highs[b, i]
            center[i] = x + (y - x) * half
            size[i] = y if y > -x else -x
            radius[i] = y - center[i] + part * size[i]
        for j in range(rows):
            middle, width, bulk, line = zero, zero, zero, matrix[j]
            for i in range(entries):
                middle += line[i] * center[i]
                width += abs(line[i]) * radius[i]
                bulk += abs(line[i]) * size[i]
            if bias != 0:
                middle += shift[j]
                width += part * abs(shift[j])
                bulk += abs(shift[j])
            out[0, b, j], out[1, b, j] = middle - width, middle + width
            out[2, b, j] = small + loose * bulk
