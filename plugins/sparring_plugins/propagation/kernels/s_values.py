"""Values of tanh and of the logistic sigmoid for loops that have no room for a call of torch.

In single precision they are computed in double precision and rounded once. With `E = exp(-t)` for `t >= 0` as the 256th
power of a Taylor polynomial of degree 9, right to 3e-8 of itself up to `t = 110` (the remainder is `(t / 256)^10 / 10!`
at most, and counts 256 times), tanh is `(1 - E) / (1 + E)` at `t = 2 |x|`, right to 1e-11 as `E` is small where that
remainder is not, and near zero the first terms of its own series. The sigmoid is `1 / (1 + E)`, or `E / (1 + E)` left
of zero, right to 3e-8. With the last rounding that is less than one spacing. In double precision they are those of the
C library, which promises one or two, as torch does.
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
    s = (110.0 if t > 110.0 else t) / 256.0
    p = 1.0 - s / 9.0
    p = 1.0 - s / 8.0 * p
    p = 1.0 - s / 7.0 * p
    p = 1.0 - s / 6.0 * p
    p = 1.0 - s / 5.0 * p
    p = 1.0 - s / 4.0 * p
    p = 1.0 - s / 3.0 * p
    p = 1.0 - s / 2.0 * p
    p = 1.0 - s * p
    p = p * p
    p = p * p
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
        e = _decay(t + t)
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
