"""Values of tanh and of the logistic sigmoid for loops that have no room for a call of torch.

In single precision they are computed in double precision and rounded once, from `E = exp(-t)` for `t >= 0`.

tanh is `(1 - E) / (1 + E)` at `t = 2 |x|`, and near zero the first terms of its own series. There `E` is the 64th power
of a Taylor polynomial of degree 5, whose remainder, `(t / 64)^6 / 720` and at most twice that of `E`, counts 64 times,
and `2 E` times for tanh: 6e-10 at most, where `t = 6`, and less of itself towards zero.

The sigmoid is `1 / (1 + E)`, or `E / (1 + E)` left of zero, where `E` itself must be right: the 256th power of a
polynomial of degree 9, right to 3e-8 of itself up to `t = 110` (the remainder is `(t / 256)^10 / 10!`).

With the last rounding that is less than one spacing. In double precision they are those of the C library, which
promises one or two, as torch does.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

import math
from typing import Any

from sparring_plugins.propagation.kernels.compiling import exact_part, number, sum_part

__all__ = ["sigmoids", "tanhs"]


@sum_part
def _decay(t: Any) -> Any:
    """`exp(-t)` in double precision; NaN stays NaN."""
    s = (110.0 if t > 110.0 else t) * (1.0 / 256.0)
    p = 1.0 / 40320.0 - s * (1.0 / 362880.0)
    p = p * s - 1.0 / 5040.0
    p = p * s + 1.0 / 720.0
    p = p * s - 1.0 / 120.0
    p = p * s + 1.0 / 24.0
    p = p * s - 1.0 / 6.0
    p = p * s + 0.5
    p = p * s - 1.0
    p = p * s + 1.0
    p = p * p
    p = p * p
    return _sixty_fourth_power(p)


@sum_part
def _quick_decay(t: Any) -> Any:
    """The same, right to a share of itself that is no matter to tanh, which is 1 where it ends."""
    s = (40.0 if t > 40.0 else t) * (1.0 / 64.0)
    p = 1.0 / 24.0 - s * (1.0 / 120.0)
    p = p * s - 1.0 / 6.0
    p = p * s + 0.5
    p = p * s - 1.0
    p = p * s + 1.0
    return _sixty_fourth_power(p)


@sum_part
def _sixty_fourth_power(p: Any) -> Any:
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    p = p * p
    return p * p


@exact_part
def tanhs(points: Any, values: Any, one: Any) -> None:
    """Write tanh of all points, [size]."""
    if points.itemsize == 8:
        for k in range(points.size):
            values[k] = number(math.tanh(float(points[k])), one)
        return
    for k in range(points.size):
        x = float(points[k])
        t = abs(x)
        e = _quick_decay(t + t)
        far = (1.0 - e) / (1.0 + e)
        square = x * x
        near = t * (1.0 - square * (1.0 / 3.0 - square * (2.0 / 15.0)))
        size = near if t < 0.02 else far
        values[k] = number(size if x > 0.0 else -size, one)


@exact_part
def sigmoids(points: Any, values: Any, one: Any) -> None:
    """Write the logistic sigmoid of all points, [size]."""
    if points.itemsize == 8:
        for k in range(points.size):
            values[k] = number(1.0 / (1.0 + math.exp(-float(points[k]))), one)
        return
    for k in range(points.size):
        x = float(points[k])
        e = _decay(abs(x))
        values[k] = number((e if x < 0.0 else 1.0) / (1.0 + e), one)
