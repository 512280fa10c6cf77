"""From a linear layer's products to what the next layer multiplies, and gradients back, each in one pass over memory.

Products are centres and widths: the box of a unit is `center -+ share * width` (see `ends`, where all of this is
explained and proved). Every operation rounds as it is written. What is no number stays none.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_kernel, number, view_of

__all__ = ["ends", "past_relu", "past_relu_back", "past_sigmoid", "past_sigmoid_back"]


@exact_kernel
def past_relu(
    center: int, width: int, state: int, count: int, share: float, following: float, floor: float, one: Any
) -> None:
    """Write centres and reaches past ReLU over products [count], and how many ends of each box are positive, int8.

    `share` is that of the layer before and `following` of the next one.
    """
    middles, widths = carray(view_of(center, one), (count,)), carray(view_of(width, one), (count,))
    states = carray(view_of(state, np.int8(0)), (count,))
    part, stretch, least = number(share, one), number(1.0 + 1.0 / following, one), number(floor, one)
    zero, half = one - one, number(0.5, one)
    for i in range(count):
        apart = part * widths[i]
        low, high = middles[i] - apart, middles[i] + apart
        low, high = zero if low < zero else low, zero if high < zero else high
        states[i] = np.int8(low > zero) + np.int8(high > zero)
        middle = low + (high - low) * half
        middles[i] = middle
        widths[i] = (middle if middle > least else least) + stretch * (high - middle)


@exact_kernel
def past_relu_back(to_center: int, to_radius: int, state: int, to_bias: int, batch: int, size: int, one: Any) -> None:
    """Gradients in centre and radius past ReLU, [batch, size], become those in centre and radius before.

    The sum of the former over the batch is added to `to_bias`, [size].
    """
    middles, radii = carray(view_of(to_center, one), (batch, size)), carray(view_of(to_radius, one), (batch, size))
    states, total = carray(view_of(state, np.int8(0)), (batch, size)), carray(view_of(to_bias, one), (size,))
    zero, half = one - one, number(0.5, one)
    for b in range(batch):
        for k in range(size):
            middle, radius = middles[b, k] * half, radii[b, k] * half
            low = middle - radius if states[b, k] > 1 else zero
            high = middle + radius if states[b, k] > 0 else zero
            middles[b, k], radii[b, k] = high + low, high - low
            total[k] += high + low


@exact_kernel
def ends(center: int, width: int, both: int, count: int, share: float, scale: float, one: Any) -> None:
    """Write the ends of boxes, [2, count], times a power of two."""
    middles, widths = carray(view_of(center, one), (count,)), carray(view_of(width, one), (count,))
    out, part, factor = carray(view_of(both, one), (2, count)), number(share, one), number(scale, one)
    for i in range(count):
        apart = part * widths[i]
        out[0, i], out[1, i] = (middles[i] - apart) * factor, (middles[i] + apart) * factor


@exact_kernel
def past_sigmoid(
    both: int, center: int, reach: int, count: int, scale: float, following: float, off: float, floor: float, one: Any
) -> None:
    """Write centres and reaches, [count] each, past tanh (scale 2) or the logistic sigmoid (scale 1).

    `both` [2, count] are values of the sigmoid at `scale` times the ends; they leave out an absolute error of `off`.
    """
    values = carray(view_of(both, one), (2, count))
    middles, reached = carray(view_of(center, one), (count,)), carray(view_of(reach, one), (count,))
    factor, shift = number(scale, one), number(scale - 1.0, one)
    stretch, least, more = number(1.0 + 1.0 / following, one), number(floor, one), number(off / following, one)
    half = number(0.5, one)
    for i in range(count):
        low, high = values[0, i] * factor - shift, values[1, i] * factor - shift
        middle = low + (high - low) * half
        size = abs(middle)
        middles[i] = middle
        reached[i] = (size if size > least else least) + more + stretch * (high - middle)


@exact_kernel
def past_sigmoid_back(
    to_center: int, to_radius: int, both: int, to_bias: int, batch: int, size: int, scale: float, one: Any
) -> None:
    """As `past_relu_back`, for what `past_sigmoid` takes."""
    middles, radii = carray(view_of(to_center, one), (batch, size)), carray(view_of(to_radius, one), (batch, size))
    values, total = carray(view_of(both, one), (2, batch, size)), carray(view_of(to_bias, one), (size,))
    part = number(0.5 * scale * scale, one)
    for b in range(batch):
        for k in range(size):
            below, above = values[0, b, k], values[1, b, k]
            low = (middles[b, k] - radii[b, k]) * (part * (below * (one - below)))
            high = (middles[b, k] + radii[b, k]) * (part * (above * (one - above)))
            middles[b, k], radii[b, k] = high + low, high - low
            total[k] += high + low
