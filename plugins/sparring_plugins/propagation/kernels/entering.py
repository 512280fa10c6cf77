"""A block of samples enters a program: its corners as boxes of the first step; `given` as in `boxing`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from sparring_plugins.propagation.kernels.compiling import exact_part, number
from sparring_plugins.propagation.kernels.tables import BOX, SIZE

__all__ = ["enter", "of_sample"]


@exact_part
def enter(first: int, given: Any, lows: Any, highs: Any, corners: bool, radius: Any) -> None:
    """Corners of a block of samples as boxes of the first step; they round as those that torch gives."""
    steps, numbers, samples = given[0], given[4], given[6]
    n, start = steps[0, SIZE], steps[0, BOX]
    for sample in range(samples):
        below, above = start + sample * n, start + (samples + sample) * n
        if corners:
            _put(lows[first + sample], number(0.0, radius), numbers[below : below + n])
            _put(highs[first + sample], number(0.0, radius), numbers[above : above + n])
        else:
            _put(lows[first + sample], -radius, numbers[below : below + n])
            _put(lows[first + sample], radius, numbers[above : above + n])


@exact_part
def _put(values: Any, more: Any, to: Any) -> None:
    for k in range(values.size):
        to[k] = values[k] + more


@exact_part
def of_sample(boxes: Any, sample: int, size: int) -> Any:
    """One sample's centre and radius; samples are counted by `size` elements."""
    first = sample * size
    return boxes[0].ravel()[first : first + size], boxes[1].ravel()[first : first + size]
