"""Gradients of a run's backward bounds around one curve; `state` and areas (`where`) are those of `rows_back`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_part, sum_part, view_of
from sparring_plugins.propagation.kernels.lines import relu_lines_back, tanh_lines_back
from sparring_plugins.propagation.kernels.tables import APART, BOX, KIND, LINES, RELU, ROWS, ROWS_ON, SIZE, STEP, TANH

__all__ = ["back_to_ends", "back_to_rows", "moved_rows", "row_at"]

SAME = 1
"""Of the choices of a lower slope: that of the upper line."""


@exact_part
def row_at(step: int, sample: int, place: int, steps: Any) -> int:
    """Where a row was kept."""
    return steps[step, ROWS] + sample * steps[step, ROWS_ON] + place * steps[step, STEP]


@exact_part
def moved_rows(step: int, first: int, count: int, state: Any, where: Any, one: Any) -> None:
    """Rows behind the curve after a linear step, made of those before it, as often as there are samples."""
    steps, numbers, m, wide = state[0], state[4], state[0][step, SIZE], state[0][step, APART]
    for sample in range(state[6]):
        lower, upper = _line(0, step + 1, sample, state), _line(2, step + 1, sample, state)
        for place in range(count):
            start, to = row_at(step + 1, first + sample, place, steps), where[1] + (sample * count + place) * wide
            _times_slopes(numbers[start : start + m], lower, upper, numbers[to : to + m], one)


@sum_part
def _times_slopes(row: Any, lower: Any, upper: Any, to: Any, one: Any) -> None:
    for k in range(row.size):
        slope, other = lower[k], upper[k]
        to[k] = row[k] * (slope if row[k] > one - one else other)


@exact_part
def back_to_rows(step: int, first: int, sample: int, state: Any, where: Any, given: Any, wanted: Any, one: Any) -> None:
    """Gradients in a sample's rows before the curve, in the lines around it, and in the bias below."""
    steps, numbers, samples = state[0], state[4], state[6]
    m, apart = steps[step, SIZE], steps[step, APART]
    lines = (
        _line(0, step + 1, sample, state), _line(1, step + 1, sample, state), _line(2, step + 1, sample, state),
        _line(3, step + 1, sample, state),
    )  # fmt: skip
    start = where[2] + sample * m
    to = (
        numbers[start : start + m], numbers[start + samples * m : start + (samples + 1) * m],
        numbers[start + 2 * samples * m : start + (2 * samples + 1) * m],
        numbers[start + 3 * samples * m : start + (3 * samples + 1) * m],
    )  # fmt: skip
    shift, low, high = _spare(0, m, where, numbers), _spare(1, m, where, numbers), _spare(2, m, where, numbers)
    _shares(state[3][step, 1], lines, to, shift, low, high, one)
    for place in range(given.size):
        begin, line = row_at(step + 1, first + sample, place, steps), (sample * given.size + place) * apart
        row, gradient = numbers[begin : begin + m], numbers[where[1] + line : where[1] + line + m]
        _to_slopes(row, gradient, to[0], to[2], one)
        _to_shifts(row, given[place], to[1], to[3], one)
        _to_row(row, gradient, given[place], lines, low, high, numbers[where[0] + line : where[0] + line + m], one)
    for k in range(m):
        to[0][k] += shift[k] * to[1][k]
        to[2][k] += shift[k] * to[3][k]
    if wanted[step, 1] != 0:
        total = carray(view_of(wanted[step, 1], one), (m,))
        for k in range(m):
            more = lines[0][k] * to[1][k] + lines[2][k] * to[3][k]
            total[k] = more if first + sample == 0 else total[k] + more


@exact_part
def _line(which: int, step: int, sample: int, state: Any) -> Any:
    """Slopes (0, 2) and intercepts (1, 3) of the lower and the upper line."""
    steps, numbers, samples, m = state[0], state[4], state[6], state[0][step, SIZE]
    start = steps[step, LINES] + (which * samples + sample) * m
    return numbers[start : start + m]


@exact_part
def _spare(which: int, size: int, where: Any, numbers: Any) -> Any:
    start = where[4] + which * where[5]
    return numbers[start : start + size]


@exact_part
def _shares(bias: int, lines: Any, to: Any, shift: Any, low: Any, high: Any, one: Any) -> None:
    """The bias, what it and the intercept give for each unit of a row below and above zero, and zeros for sums."""
    given = carray(view_of(bias, one), (shift.size,))
    for k in range(shift.size):
        shift[k] = given[k] if bias != 0 else one - one
    for k in range(shift.size):
        low[k], high[k] = lines[0][k] * shift[k] + lines[1][k], lines[2][k] * shift[k] + lines[3][k]
    for which in range(4):
        to[which][:] = one - one


@sum_part
def _to_slopes(row: Any, gradient: Any, lower: Any, upper: Any, one: Any) -> None:
    for k in range(row.size):
        x, moved = row[k], row[k] * gradient[k]
        lower[k] += moved if x > one - one else one - one
        upper[k] += one - one if x > one - one else moved


@sum_part
def _to_shifts(row: Any, weight: Any, below: Any, above: Any, one: Any) -> None:
    for k in range(row.size):
        x, moved = row[k], row[k] * weight
        below[k] += moved if x > one - one else one - one
        above[k] += one - one if x > one - one else moved


@sum_part
def _to_row(row: Any, gradient: Any, weight: Any, lines: Any, low: Any, high: Any, to: Any, one: Any) -> None:
    lower, _, upper, _ = lines
    for k in range(row.size):
        slope, other, share, end = lower[k], upper[k], low[k], high[k]
        to[k] = (slope if row[k] > one - one else other) * gradient[k] + weight * (share if row[k] > one - one else end)


@exact_part
def back_to_ends(
    step: int, first: int, batch: int, state: Any, where: Any, wanted: Any, look: Any, work: int, choice: int, one: Any,
    whole: Any,
) -> None:  # fmt: skip
    """From gradients in a block's lines to those in the ends of the boxes before the curve."""
    steps, constants, numbers, base, samples = state[0], state[2], state[4], state[5], state[6]
    m, size = steps[step, SIZE], numbers.itemsize
    count, lines, ends = samples * m, base + size * where[2], base + size * where[3]
    low, kind = base + size * steps[step, BOX], steps[step + 1, KIND]
    if kind == RELU:
        if choice == SAME:
            _add(numbers[where[2] : where[2] + count], numbers[where[2] + 2 * count : where[2] + 3 * count])
        relu_lines_back(
            low, low + size * count, lines + 2 * size * count, lines + 3 * size * count, ends, count, constants[2], one
        )
    else:
        tanh_lines_back(
            base + size * work, base + size * (work + 5 * count), lines, ends, look[0], look[1], count, look[2],
            1.0 if kind == TANH else 0.5, constants[5], look[3], look[4], look[5], look[6], one, whole,
        )  # fmt: skip
    found = carray(view_of(wanted[step, 2], one), (2, batch, m))
    for side in range(2):
        for sample in range(samples):
            start = where[3] + (side * samples + sample) * m
            found[side, first + sample, :] = numbers[start : start + m]


@exact_part
def _add(values: Any, to: Any) -> None:
    for k in range(to.size):
        to[k] += values[k]
