"""Boxes through a run of layers and gradients back, a piece of the batch at a time.

Products are all that is left to torch; what stands between two of them is one pass over memory. With `c` and `r` the
centre and radius of a layer's input and `d`, `e` the gradients in those of its output, the way back is `d W` for the
centre, `e |W|` for the radius, `d^T c + (e^T r) sign W` for the weight and the sum of `d` for the bias. Widening for
rounding has no derivative, but that it is a share of the reach (see `linear_ends`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import ReLU, Tanh
from sparring_plugins.propagation.dense import crossed, linear
from sparring_plugins.propagation.ends import widened
from sparring_plugins.propagation.kernels.calling import ONE, step_kernels
from sparring_plugins.propagation.rounding import floor, floor_of, share_of
from sparring_plugins.propagation.runs import Run, Step

__all__ = ["Factors", "Gradients", "Passed", "factors_of", "passed"]


class Factors(NamedTuple):
    """A step's layer as it is now."""

    step: Step
    weight: Tensor
    absolute: Tensor
    bias: Tensor | None
    bulk: Tensor
    """`|b|`, never zero."""
    share: float
    """By which boxes are widened (see `ends`)."""
    off: float
    """Absolute error of its inputs that their boxes do not hold."""


class Passed(NamedTuple):
    """What the way back needs of one step."""

    center: Tensor
    reach: Tensor
    """Of the layer's input, [batch, inputs]."""
    state: Tensor
    """Of the curve: how many ends of each box are positive, or values at both; empty where there is no curve."""


def factors_of(run: Run, parameters: Sequence[Any]) -> list[Factors]:
    """The steps of a run with weight and bias of each, in turn."""
    found, loose, off = list[Factors](), 0.0, 0.0
    for step, weight, bias in zip(run.steps, parameters[::2], parameters[1::2], strict=True):
        least = floor_of(weight)
        bulk = least.expand(weight.shape[0]) if bias is None else torch.hypot(bias, least)
        share = share_of(weight.shape[1] + 1, weight.dtype, loose)
        found.append(Factors(step, weight, weight.abs(), bias, bulk, share, off))
        loose, off = _errors(step, weight.dtype)
    return found


def _errors(step: Step, dtype: torch.dtype) -> tuple[float, float]:
    """What values past a curve leave out, as a share of themselves and beside it (see `Tanh.at_ends`)."""
    eps = torch.finfo(dtype).eps
    if isinstance(step.curve, ReLU):
        return 0.0, 0.0
    return (2.0 * eps, 4.5 * eps) if isinstance(step.curve, Tanh) else (4.0 * eps, 0.0)


def passed(factors: Sequence[Factors], center: Tensor, reach: Tensor) -> tuple[list[Passed], tuple[Tensor, Tensor]]:
    """What each step is given and how its curve stands; and the box at the end.

    Args:
        factors: of all steps.
        center: of the input, [batch, inputs].
        reach: see `ends`, likewise.
    """
    found = list[Passed]()
    for here, following in zip(factors, [*factors[1:], None], strict=True):
        middle = linear(center, here.weight, here.bias)
        width = linear(reach, here.absolute, here.bulk)
        if following is None:
            state, ends = _ended(here, middle, width)
            return [*found, Passed(center, reach, state)], ends
        found.append(Passed(center, reach, _pass(here, following, middle, width)))
        center, reach = middle, width
    raise AssertionError("a run has steps")


def _ended(last: Factors, middle: Tensor, width: Tensor) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    both = widened(middle, width, last.share)
    if last.step.curve is None:
        low, high = both.unbind()
        return middle[:0], (low, high)
    values = last.step.curve.at_ends(both)
    assert values is not None
    low, high = values.tight().both.unbind()
    return values.both, (low, high)


def _pass(here: Factors, following: Factors, middle: Tensor, width: Tensor) -> Tensor:
    """Put centre and reach past a curve in the place of those before it, and give how the curve stands."""
    kernels, one, count, least = step_kernels(), ONE[middle.dtype], middle.numel(), floor(middle.dtype)
    places = middle.data_ptr(), width.data_ptr()
    if isinstance(here.step.curve, ReLU):
        state = torch.empty_like(middle, dtype=torch.int8)
        kernels.past_relu(*places, state.data_ptr(), count, here.share, following.share, least, one)
        return state
    scale, both = _scale(here.step), middle.new_empty((2, *middle.shape))
    kernels.ends(*places, both.data_ptr(), count, here.share, scale, one)
    both.sigmoid_()
    kernels.past_sigmoid(both.data_ptr(), *places, count, scale, following.share, following.off, least, one)
    return both


def _scale(step: Step) -> float:
    """`tanh(x)` is `2 sigmoid(2 x) - 1`."""
    return 2.0 if isinstance(step.curve, Tanh) else 1.0


class Gradients:
    """Gradients in the corners of the input, weights and biases, added up over pieces of the batch."""

    def __init__(self, factors: Sequence[Factors], wanted: Sequence[bool], to_region: bool) -> None:
        """`wanted` names for each step whether weight and bias have gradients, `to_region` whether the input has."""
        self._factors, self._wanted, self._to_region = factors, wanted, to_region
        self._sums: list[list[Tensor]] = [[] for _ in factors]
        self._biases: list[list[Tensor]] = [[] for _ in factors]
        self._corners: list[Tensor] = []

    def add(self, found: Sequence[Passed], to_low: Tensor, to_high: Tensor) -> None:
        """A piece: what `passed` gave for it, and the gradients in the box at the end."""
        last = len(found) - 1
        if self._factors[last].step.curve is not None:
            slopes = _slopes(self._factors[last].step, found[last].state)
            to_low, to_high = to_low * slopes[0], to_high * slopes[1]
        to_center, to_radius = to_high + to_low, to_high - to_low
        to_bias = to_center.sum(0)
        for place in range(last, -1, -1):
            here = self._factors[place]
            if self._wanted[2 * place]:
                products = crossed(to_center, found[place].center), crossed(to_radius, found[place].reach)
                _add(self._sums[place], products)
            _add(self._biases[place], (to_bias,))
            if place == 0 and not self._to_region:
                return
            to_center, to_radius = linear(to_center, here.weight.T), linear(to_radius, here.absolute.T)
            if place > 0:
                to_bias = _pass_back(self._factors[place - 1].step, found[place - 1].state, to_center, to_radius)
        self._corners.append(widened(to_center, to_radius, 1.0).mul_(0.5))

    def found(self) -> list[Tensor | None]:
        """In the corners [2, batch, inputs], and in each weight and bias."""
        all_of_them: list[Tensor | None] = [torch.cat(self._corners, 1) if self._corners else None]
        for place, here in enumerate(self._factors):
            wanted, sums = self._wanted[2 * place : 2 * place + 2], self._sums[place]
            all_of_them.append(sums[0].add(sums[1].mul_(here.weight.sign()), alpha=here.share) if wanted[0] else None)
            all_of_them.append(self._biases[place][0] if wanted[1] else None)
        return all_of_them


def _add(sums: list[Tensor], more: tuple[Tensor, ...]) -> None:
    if not sums:
        sums += more
        return
    for total, part in zip(sums, more, strict=True):
        total.add_(part)


def _slopes(step: Step, values: Tensor) -> Tensor:
    """Derivatives of the last curve at both ends, from its values there."""
    if isinstance(step.curve, ReLU):
        return (values > 0).to(values.dtype)
    return 1 - values * values if isinstance(step.curve, Tanh) else values * (1 - values)


def _pass_back(step: Step, state: Tensor, to_center: Tensor, to_radius: Tensor) -> Tensor:
    """Put gradients before a curve in the place of those past it, and give that in the bias there."""
    (batch, size), kernels, to_bias = to_center.shape, step_kernels(), to_center.new_zeros(to_center.shape[1])
    places = to_center.data_ptr(), to_radius.data_ptr(), state.data_ptr(), to_bias.data_ptr()
    if isinstance(step.curve, ReLU):
        kernels.past_relu_back(*places, batch, size, ONE[to_center.dtype])
    else:
        kernels.past_sigmoid_back(*places, batch, size, _scale(step), ONE[to_center.dtype])
    return to_bias
