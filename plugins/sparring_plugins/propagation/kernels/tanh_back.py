"""Gradients of the lines around tanh in the ends of their intervals, in one pass; see `kernels.lines`."""
# mypy: disable-error-code="import-untyped,no-untyped-call,untyped-decorator,misc"

from __future__ import annotations

from typing import Any

from numba import carray

from sparring_plugins.propagation.kernels.compiling import exact_kernel, number, view_of

__all__ = ["tanh_lines_back"]


@exact_kernel
def _highest(slope: Any, left: Any, at_left: Any, right: Any, at_right: Any, touch: Any, height: Any) -> Any:
    """Which of three points has the intercept: 0 the left end, 1 the right one, 2 where the line touches."""
    which, most = 0, at_left - slope * left
    if at_right - slope * right > most:
        which, most = 1, at_right - slope * right
    return 2 if height - slope * touch > most else which


@exact_kernel
def _touch_moves(left: Any, right: Any, touch: Any, middle: Any, table: Any, rise: Any, half: Any) -> Any:
    """How far the touching point moves with the left end and with the right one."""
    zero = half - half
    if touch >= right:
        return zero, half + half
    if table > middle:
        return rise, zero
    return half, half


@exact_kernel
def _line_back(
    left: Any, right: Any, at_left: Any, at_right: Any, touch: Any, height: Any, moves: Any, chord: Any, change: Any,
    share: Any, to_slope: Any, to_shift: Any, one: Any,
) -> Any:  # fmt: skip
    """Gradients in the ends, from those in a line above the curve: the chord where that is legal, else a tangent."""
    legal = one - at_right * at_right >= chord
    slope = chord if legal else one - height * height
    which = _highest(slope, left, at_left, right, at_right, touch, height)
    place = left if which == 0 else right if which == 1 else touch
    level = at_left if which == 0 else at_right if which == 1 else height
    to_slope -= to_shift * place
    to_place = to_shift * (one - level * level - slope)
    zero = one - one
    to_left, to_right = to_place if which == 0 else zero, to_place if which == 1 else zero
    to_touch = to_place if which == 2 else zero
    if legal:
        to_left -= to_slope * (change + share * at_right * (one - at_left * at_left))
        to_right += to_slope * (change - share * at_left * (one - at_right * at_right))
    else:
        to_touch -= to_slope * (one + one) * height * (one - height * height)
    return to_left + to_touch * moves[0], to_right + to_touch * moves[1]


@exact_kernel
def tanh_lines_back(
    points: int, values: int, given: int, ends: int, intercepts: int, slopes: int, size: int, pieces: int,
    scale: float, narrow: float, mask: int, nearest: int, farthest: int, shift: int, one: Any, whole: Any,
) -> None:  # fmt: skip
    """Write [2, size]: gradients in the ends, from those in slopes and intercepts, `given` [4, size].

    The other arguments are as of `tanh_points` and `tanh_lines`.
    """
    at, value = carray(view_of(points, one), (5, size)), carray(view_of(values, one), (5, size))
    bits, to = carray(view_of(points, whole), (5, size)), carray(view_of(given, one), (4, size))
    starts, rises = carray(view_of(intercepts, one), (pieces,)), carray(view_of(slopes, one), (pieces,))
    out, zero, half = carray(view_of(ends, one), (2, size)), one - one, number(0.5, one)
    factor, least, steep, first = number(scale, one), number(narrow, one), number(scale * scale, one), nearest >> shift
    for k in range(size):
        x, y, wide, at_wide = at[0, k], at[1, k], at[2, k], value[2, k]
        share, product = at_wide / wide, one - value[0, k] * value[1, k]
        # How the share of tanh(w) / w changes with the width w, which counts for nothing where it was raised.
        change = (one - at_wide * at_wide - share) / wide * product if wide > least else zero
        to_x, to_y = zero, zero
        for side in range(2):
            # Below: the line above the curve on [-y, -x], turned round.
            left, right = (x, y) if side else (-y, -x)
            at_left, at_right = (value[0, k], value[1, k]) if side else (-value[1, k], -value[0, k])
            distance = bits[1 - side, k] & mask
            distance = distance if distance < farthest else farthest
            distance = distance if distance > nearest and left < zero else nearest
            piece = (distance >> shift) - first
            middle = x + (y - x) * half
            moves = _touch_moves(
                left, right, at[3 + side, k], middle if side else -middle, starts[piece] + rises[piece] * left,
                rises[piece], half,
            )  # fmt: skip
            to_left, to_right = _line_back(
                left, right, at_left, at_right, at[3 + side, k], value[3 + side, k], moves, share * product, change,
                share, to[2 * side, k] * steep, to[2 * side + 1, k] * (factor if side else -factor), one,
            )  # fmt: skip
            to_x += to_left if side else -to_right
            to_y += to_right if side else -to_left
        out[0, k], out[1, k] = to_x * factor, to_y * factor
