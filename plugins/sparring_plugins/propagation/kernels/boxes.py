"""Centres and radii of boxes in one pass, and through a linear layer whose matrix stays in the processor's cache.

The formulas are those of `ends`, where they are explained and proved. They leave the order of sums open, and which
products round before they are added; what that costs elsewhere, for centres and reaches, is no more than is proved
there for torch's way.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.compiling import number, sum_kernel, view_of

__all__ = ["linear_ends", "middle_and_reach", "middles", "reaches"]


@sum_kernel
def middle_and_reach(low: Any, high: Any, center: Any, reach: Any, stretch: Any, least: Any, more: Any) -> None:
    """Centres, and their sizes plus `stretch` times the radii, and a little more."""
    half = number(0.5, stretch)
    for i in range(low.size):
        middle = low[i] + (high[i] - low[i]) * half
        size = abs(middle)
        center[i] = middle
        reach[i] = (size if size > least else least) + more + stretch * (high[i] - middle)


@sum_kernel
def reaches(
    low: int, high: int, center: int, reach: int, count: int, share: float, off: float, floor: float, one: Any
) -> None:
    """Write centres and reaches, [count] each (see `middles`)."""
    middle_and_reach(
        carray(view_of(low, one), (count,)), carray(view_of(high, one), (count,)),
        carray(view_of(center, one), (count,)), carray(view_of(reach, one), (count,)),
        number(1.0 + 1.0 / share, one), number(floor, one), number(off / share, one),
    )  # fmt: skip


@sum_kernel
def middles(
    low: int, high: int, center: int, radius: int, count: int, share: float, least: float, sized: bool, one: Any,
    wide: Any,
) -> None:  # fmt: skip
    """Write centres and radii, [count] each in the type of `wide`, with `share` times the size and `least` more.

    The size is the largest absolute value; where `sized`, sizes follow the radii.
    """
    lows, highs = carray(view_of(low, one), (count,)), carray(view_of(high, one), (count,))
    middle, width = carray(view_of(center, wide), (count,)), carray(view_of(radius, wide), (2, count))
    part, small, half = number(share, wide), number(least, wide), number(0.5, wide)
    for i in range(count):
        x, y = number(lows[i], wide), number(highs[i], wide)
        middle[i] = x + (y - x) * half
        width[0, i] = y - middle[i] + part * (y if y > -x else -x) + small
    if sized:
        for i in range(count):
            x, y = number(lows[i], wide), number(highs[i], wide)
            width[1, i] = y if y > -x else -x


@sum_kernel
def _sized(line: Any, low: Any, high: Any, zero: Any) -> Any:
    """`|W| size` of one output."""
    total = zero
    for i in range(line.size):
        x, y = -low[i], high[i]
        total += abs(line[i]) * (y if y > x else x)
    return total


@sum_kernel
def linear_ends(
    first: int, second: int, around: bool, weight: int, bias: int, ends: int, batch: int, entries: int, rows: int,
    share: float, off: float, floor: float, unsure: float, tiny: float, one: Any,
) -> None:  # fmt: skip
    """Write [2, batch, rows]: `W c + b -+ share (|W| reach + |b|)`.

    Where `unsure` is not 0, [3, batch, rows]: behind them `tiny + unsure (|W| size + |b|)` of boxes, whose sizes are
    their largest absolute values.

    `first` and `second`, [batch, entries], are centres and reaches where `around`, else the ends of boxes, which leave
    out an absolute error of `off`. `weight` is [rows, entries], `bias` [rows] or 0 for none; `floor` as in `rounding`.
    `one` is a 1 in the type of all numbers.
    """
    left, right = carray(view_of(first, one), (batch, entries)), carray(view_of(second, one), (batch, entries))
    matrix, out = carray(view_of(weight, one), (rows, entries)), carray(view_of(ends, one), (3, batch, rows))
    shift = carray(view_of(bias, one), (rows,))
    part, least, stretch = number(share, one), number(floor, one), number(1.0 + 1.0 / share, one)
    more, loose, small = number(off / share, one), number(unsure, one), number(tiny, one)
    space = np.empty((2, entries), left.dtype)
    for sample in range(batch):
        if around:
            center, reach = left[sample], right[sample]
        else:
            center, reach = space[0], space[1]
            middle_and_reach(left[sample], right[sample], center, reach, stretch, least, more)
        for j in range(rows):
            middle, width, line = one - one, one - one, matrix[j]
            for i in range(entries):
                middle += line[i] * center[i]
                width += abs(line[i]) * reach[i]
            move = shift[j] if bias != 0 else one - one
            size = abs(move)
            apart = part * (width + (size if size > least else least))
            out[0, sample, j] = middle + move - apart
            out[1, sample, j] = middle + move + apart
            if unsure != 0:
                out[2, sample, j] = small + loose * (_sized(line, left[sample], right[sample], one - one) + size)
