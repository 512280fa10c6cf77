"""Pictures put together from their places between two strides; see `interleaved`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_kernel, view_of
from sparring_plugins.propagation.kernels.strides import LARGEST_STRIDE, together

__all__ = ["pictures"]


@exact_kernel
def pictures(
    parts: int, whole: int, count: int, step: int, tall: int, broad: int, above: int, aside: int, high: int, wide: int,
    size: int, one: Any,
) -> None:  # fmt: skip
    """Write `whole` [count, high, wide]: at `y, x` what `parts` [count, step, step, tall, broad] have for that place.

    With `Y = y + above` and `X = x + aside` that is at `[Y % step, X % step, Y // step, X // step]`, and zero beyond.
    `size` is that of a number in bytes.
    """
    split = carray(view_of(parts, one), (count, step, step, tall, broad))
    found, plane, zero = carray(view_of(whole, one), (count, high, wide)), tall * broad, one - one
    # Of each line the numbers that come from all places between two strides.
    first = -(-aside // step)
    full = max(0, min(broad, (wide + aside) // step) - first) if step <= LARGEST_STRIDE else 0
    begin, end = first * step - aside, (first + full) * step - aside
    for picture in range(count):
        for y in range(high):
            line, place = (y + above) // step, (y + above) % step
            inside, skipped = line < tall, 0
            if inside:
                start, skipped = (picture * step + place) * step * plane + line * broad + first, end - begin
                to = whole + size * ((picture * high + y) * wide + begin)
                together(to, parts + size * start, full, step, plane, size, one)
            for x in range(wide - skipped):
                at = x if x < begin else x + skipped
                there = inside and (at + aside) // step < broad
                found[picture, y, at] = (
                    split[picture, place, (at + aside) % step, line, (at + aside) // step] if there else zero
                )
