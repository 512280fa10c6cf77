"""A block of samples enters a program; `given` as in `boxing`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.boxes import middles
from sparring_plugins.propagation.kernels.compiling import exact_part, number, view_of
from sparring_plugins.propagation.kernels.tables import BOX, SIZE

__all__ = ["enter", "of_sample"]


@exact_part
def enter(
    first: int, given: Any, lows: Any, highs: Any, corners: bool, radius: Any, wider: int, block: int, one: Any,
    wide: Any,
) -> None:  # fmt: skip
    """Write its corners as boxes of the first step, and its centres and radii, [2, block, features], to `wider`.

    Corners round as those that torch gives.
    """
    steps, constants, numbers, samples = given[0], given[2], given[4], given[6]
    n, start = steps[0, SIZE], steps[0, BOX]
    for sample in range(samples):
        below, above = start + sample * n, start + (samples + sample) * n
        if corners:
            _put(lows[first + sample], number(0.0, radius), numbers[below : below + n])
            _put(highs[first + sample], number(0.0, radius), numbers[above : above + n])
        else:
            _put(lows[first + sample], -radius, numbers[below : below + n])
            _put(lows[first + sample], radius, numbers[above : above + n])
    at, size = given[5] + numbers.itemsize * start, samples * n
    boxes = carray(view_of(wider, wide), (2, block, n))
    middles(
        at, at + numbers.itemsize * size, wider, wider + boxes.itemsize * block * n, size, constants[9], constants[10],
        False, one, wide,
    )  # fmt: skip


@exact_part
def _put(values: Any, more: Any, to: Any) -> None:
    for k in range(values.size):
        to[k] = values[k] + more


@exact_part
def of_sample(boxes: Any, sample: int, size: int) -> Any:
    """One sample's centre and radius; samples are counted by `size` elements."""
    first = sample * size
    return boxes[0].ravel()[first : first + size], boxes[1].ravel()[first : first + size]
