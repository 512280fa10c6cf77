"""Plain two-dimensional convolutions as products of matrices, for the boxes and the rows of a program.

Inputs are taken apart by their places between two strides. What one number of all filters meets then lies together, and
is a line of the matrix that they multiply, without having been copied. Backward, each of those places sees its own
share of a filter (see `affine._split_kernel`), and the matrix's lines are shifted views of a row with zeros around it.
"""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.boxes import middle_and_reach
from sparring_plugins.propagation.kernels.compiling import exact_part, number, sum_part, view_of
from sparring_plugins.propagation.kernels.strides import LARGEST_STRIDE, apart
from sparring_plugins.propagation.kernels.tables import (
    ABOVE,
    ASIDE,
    BACK,
    BIAS,
    BOX,
    CHANNELS,
    FILTERS,
    FIRST,
    HIGH,
    KERNEL_HIGH,
    KERNEL_WIDE,
    LANES,
    OUT_HIGH,
    OUT_WIDE,
    PACKED,
    ROWS,
    SIZE,
    STEP,
    STRIDE_HIGH,
    STRIDE_WIDE,
    THERE,
    TURNED,
    WIDE,
)  # fmt: skip
from sparring_plugins.propagation.kernels.tiles import product

__all__ = ["box_of_convolution", "pack_convolution", "rows_through_convolution"]


@exact_part
def _full(size: int, item: int) -> int:
    """Rounded up to full registers."""
    lanes = LANES // item
    return -(-size // lanes) * lanes


@exact_part
def pack_convolution(row: Any, weight: Any, space: Any, one: Any) -> None:
    """Sizes of the filters, [filters, channels, high, wide], and the split filters."""
    filters, channels, high, wide = row[FILTERS], row[CHANNELS], row[KERNEL_HIGH], row[KERNEL_WIDE]
    kernel = carray(view_of(weight[0], one), (filters, channels, high, wide))
    flat = kernel.ravel()
    sizes = space[row[PACKED] : row[PACKED] + flat.size]
    for k in range(flat.size):
        sizes[k] = abs(flat[k])
    down, right = row[STRIDE_HIGH], row[STRIDE_WIDE]
    tall, broad = -(-high // down), -(-wide // right)
    at = row[TURNED]
    for channel in range(channels):
        for first in range(down):
            for second in range(right):
                for f in range(filters):
                    for i in range(tall):
                        for j in range(broad):
                            y, x = i * down + first, j * right + second
                            space[at] = kernel[f, channel, y, x] if y < high and x < wide else one - one
                            at += 1


@exact_part
def _part(row: Any, source: int, planes: int, size: int, one: Any) -> None:
    """An input apart by its places between strides, [channels * strides, high, wide], zeros beyond its rim.

    Windows of an input are then pieces of these planes that lie together, but for a few columns at the end of lines.
    `source` and `planes` are addresses of numbers of so many bytes.
    """
    down, right, above, aside = row[STRIDE_HIGH], row[STRIDE_WIDE], row[ABOVE], row[ASIDE]
    entry_high, entry_wide, (high, wide) = row[HIGH], row[WIDE], _sides(row)
    plane, zero = high * wide, one - one
    given = carray(view_of(source, one), (row[CHANNELS] * entry_high * entry_wide,))
    found = carray(view_of(planes, one), (_room(row, high, wide, size),))
    # Lines whose numbers between two strides all lie within the input, but for its rim.
    left, right_end = -(-aside // right), min(wide, (entry_wide + aside) // right)
    for channel in range(row[CHANNELS]):
        for first in range(down):
            for q in range(high):
                y, at = q * down + first - above, (channel * down + first) * right * plane + q * wide
                start, begin, end = (channel * entry_high + y) * entry_wide - aside, 0, 0
                inside = 0 <= y < entry_high
                if inside and left < right_end and right <= LARGEST_STRIDE:
                    begin, end = left, right_end
                    first_address, to = source + size * (start + begin * right), planes + size * (at + begin)
                    apart(first_address, to, end - begin, right, plane, size, one)
                for second in range(right):
                    for x in range(wide + begin - end):
                        k = (x if x < begin else x + end - begin) * right + second
                        there = inside and aside <= k < aside + entry_wide
                        found[at + second * plane + k // right] = given[start + k] if there else zero
    for k in range(row[CHANNELS] * down * right * plane, found.size):
        found[k] = zero


@exact_part
def _sides(row: Any) -> Any:
    """Of what lies between two strides: as many lines, and as many columns, as windows see of it."""
    tall, broad = -(-row[KERNEL_HIGH] // row[STRIDE_HIGH]), -(-row[KERNEL_WIDE] // row[STRIDE_WIDE])
    return row[OUT_HIGH] - 1 + tall, row[OUT_WIDE] - 1 + broad


@sum_part
def box_of_convolution(
    row: Any, given: Any, part: Any, weight: Any, work: int, errors: bool, register: int, one: Any
) -> None:
    """Boxes and errors of all samples; the formulas are those of `boxes.linear_ends`."""
    table, _, common, _, space, base, samples, lines = given
    source, size = table[row[FIRST]], space.itemsize
    n, m, filters = source[SIZE], row[SIZE], row[FILTERS]
    depth, places = row[CHANNELS] * row[KERNEL_HIGH] * row[KERNEL_WIDE], row[OUT_HIGH] * row[OUT_WIDE]
    line, (high, wide) = row[OUT_WIDE], _sides(row)
    columns = row[OUT_HIGH] * wide
    step = _full(columns, size)
    share, unsure, tiny = number(part[0], one), number(part[1], one), number(part[2], one)
    unsure_bias, floor, zero = number(part[3], one), number(common[0], one), one - one
    stretch = number(1.0 + 1.0 / part[0], one)
    parts_of, start_of = space[work : work + 3 * n], _full(work + 3 * n, size)
    out = start_of + _room(row, high, wide, size)
    found = space[out : out + 3 * filters * step]
    for sample in range(samples):
        start = source[BOX] + sample * n
        low, high = space[start : start + n], space[start + samples * n : start + (samples + 1) * n]
        sizes = parts_of[2 * n :]
        middle_and_reach(low, high, parts_of[:n], parts_of[n : 2 * n], stretch, floor, zero)
        if errors:
            for k in range(n):
                x, y = -low[k], high[k]
                sizes[k] = y if y > x else x
        for kind in range(3 if errors else 2):
            _part(row, base + size * (work + kind * n), base + size * start_of, size, one)
            matrix = weight[0] if kind == 0 else base + size * row[PACKED]
            product(
                matrix, base + size * start_of, base + size * (out + kind * filters * step), filters, depth, columns,
                lines + 8 * row[THERE], (depth, step, 1), register, size, False, True, one,
            )  # fmt: skip
        below = row[BOX] + sample * m
        for f in range(filters):
            move = space[row[BIAS] + f * places] if row[BIAS] >= 0 else zero
            bulk = abs(move)
            least, at = bulk if bulk > floor else floor, f * step
            for y in range(row[OUT_HIGH]):
                begin, to = at + y * wide, below + y * line
                middle, width = (
                    found[begin : begin + line],
                    found[filters * step + begin : filters * step + begin + line],
                )
                sized = found[2 * filters * step + begin : 2 * filters * step + begin + line]
                lows, highs = space[to : to + line], space[to + samples * m : to + samples * m + line]
                error = space[to + 2 * samples * m : to + 2 * samples * m + line]
                for k in range(line):
                    lows[k] = middle[k] + move - share * (width[k] + least)
                for k in range(line):
                    highs[k] = middle[k] + move + share * (width[k] + least)
                if errors:
                    for k in range(line):
                        error[k] = tiny + unsure * sized[k] + unsure_bias * bulk
            below += places


@exact_part
def rows_through_convolution(row: Any, source: Any, count: int, given: Any, work: int, register: int, one: Any) -> None:
    """Rows times the matrix of a convolution, added to those at its input."""
    space, base, size = given[4], given[5], given[4].itemsize
    out_high, out_wide, down, right = row[OUT_HIGH], row[OUT_WIDE], row[STRIDE_HIGH], row[STRIDE_WIDE]
    tall, broad, (high, wide) = -(-row[KERNEL_HIGH] // down), -(-row[KERNEL_WIDE] // right), _sides(row)
    depth, phases, step = row[FILTERS] * tall * broad, row[CHANNELS] * down * right, _full(high * wide, size)
    plane = (high + tall - 1) * wide
    room = _full(row[FILTERS] * plane + broad + LANES // size, size)
    spread, found = space[work : work + room], space[work + room : work + room + phases * step]
    for k in range(spread.size):
        spread[k] = one - one
    for place in range(count):
        start = row[ROWS] + place * row[STEP]
        for f in range(row[FILTERS]):
            for y in range(out_high):
                at = f * plane + (y + tall - 1) * wide + broad - 1
                values, to = space[start : start + out_wide], spread[at : at + out_wide]
                for x in range(out_wide):
                    to[x] = values[x]
                start += out_wide
        product(
            base + size * row[TURNED], base + size * work, base + size * (work + room), phases, depth, high * wide,
            given[7] + 8 * row[BACK], (depth, step, 1), register, size, False, True, one,
        )  # fmt: skip
        to = source[ROWS] + place * source[STEP]
        _put_back(row, found, space[to : to + source[SIZE]], high, wide, step)


@exact_part
def _room(row: Any, high: int, wide: int, size: int) -> int:
    """Numbers of the planes of an input, with what is read beyond their end."""
    planes = row[CHANNELS] * row[STRIDE_HIGH] * row[STRIDE_WIDE] * high * wide
    return _full(planes + wide + LANES // size, size)


@exact_part
def _put_back(row: Any, found: Any, to: Any, high: int, wide: int, step: int) -> None:
    """What every place between two strides has, [channels * strides, step], added where it belongs."""
    down, right, above, entry_high, entry_wide = row[STRIDE_HIGH], row[STRIDE_WIDE], row[ABOVE], row[HIGH], row[WIDE]
    line = 0
    for channel in range(row[CHANNELS]):
        for first in range(down):
            for second in range(right):
                # Of x = q * right + second - aside the first and the last that lie within.
                shift = second - row[ASIDE]
                begin, end = max(0, -(shift // right)), min(wide, -((shift - entry_wide) // right))
                for y in range(high):
                    at = y * down + first - above
                    if at < 0 or at >= entry_high or begin >= end:
                        continue
                    start = (channel * entry_high + at) * entry_wide + shift + begin * right
                    values = found[line + y * wide + begin : line + y * wide + end]
                    there = to[start : start + (end - begin - 1) * right + 1]
                    for x in range(values.size):
                        there[x * right] += values[x]
                line += step
