"""Rows of a run of layers without torch's bookkeeping: lines upward, rows downward, and gradients of both.

Rows go a piece of the batch at a time, so that they stay in a processor's cache with all that is made of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring_plugins.propagation.compiled_lines import relu_back, relu_lines, tanh_back, tanh_lines
from sparring_plugins.propagation.compiled_rows import Share, least, least_back, moved, moved_back, shares
from sparring_plugins.propagation.curves import ReLU, Tanh
from sparring_plugins.propagation.dense import crossed, linear
from sparring_plugins.propagation.ends import widened
from sparring_plugins.propagation.middles import middles
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.rounding import share_of
from sparring_plugins.propagation.runs import Run, Step

__all__ = ["Box", "Factors", "Layer", "RowGradients", "factors_of", "gradients_of_layers", "layers_of", "rows_of"]

Box = tuple[Tensor, Tensor]
"""Centre and radius of the input, [batch, inputs], as of `Enclosure.box`."""


class Factors(NamedTuple):
    """A step's layer as it is now."""

    step: Step
    weight: Tensor
    absolute: Tensor
    bias: Tensor | None


def factors_of(run: Run, parameters: Sequence[Any]) -> list[Factors]:
    """The steps of a run with weight and bias of each, in turn."""
    pairs = zip(run.steps, parameters[::2], parameters[1::2], strict=True)
    return [Factors(step, weight, weight.abs(), bias) for step, weight, bias in pairs]


class Layer(NamedTuple):
    """A step over boxes that are known, and the lines around its curve."""

    source: Interval
    """Of the layer's input."""
    before: Interval
    """Of the curve's input; of the last step, which has no curve, nothing."""
    error: Tensor
    """Of the layer for each unit of a row's coefficient, [batch, units]."""
    lines: Tensor
    """[4, batch, units] (see `compiled_lines`)."""
    points: Tensor
    """Where tanh was wanted for lines, [5, batch, units]; nothing under ReLU."""
    values: Tensor
    """The hyperbolic tangent there."""

    def part(self, samples: slice) -> Layer:
        """What rows of some samples need."""
        return self._replace(error=self.error[samples], lines=self.lines[:, samples])


def layers_of(
    factors: Sequence[Factors], intervals: Sequence[Interval], error: Callable[[int], Tensor | None], nodes: int,
    choice: str,
) -> list[Layer]:  # fmt: skip
    """Lines of a run whose last step has no curve.

    Args:
        factors: of all steps.
        intervals: of all nodes before the last one.
        error: of an affine node, by its place.
        nodes: how many the graph has.
        choice: of the lower slope of an unstable ReLU.
    """
    found = list[Layer]()
    for step, here in enumerate(factors):
        place = 2 * step + 1
        source, unsure = intervals[place - 1], error(place)
        assert unsure is not None
        blank = unsure[:0]
        if here.step.curve is None:
            return [*found, Layer(source, Interval(blank, blank), unsure, blank, blank, blank)]
        before = Interval(*(end.contiguous() for end in intervals[place]))
        if isinstance(here.step.curve, ReLU):
            found.append(Layer(source, before, unsure, relu_lines(*before, unsure, nodes, choice), blank, blank))
        else:
            found.append(Layer(source, before, unsure, *tanh_lines(*before, unsure, nodes, _scale(here))))
    raise AssertionError("rows start at a layer")


def _scale(here: Factors) -> float:
    """The logistic sigmoid is a tanh seen at another scale."""
    return 1.0 if isinstance(here.step.curve, Tanh) else 0.5


def rows_of(
    factors: Sequence[Factors], layers: Sequence[Layer], box: Box, spec: Tensor | None
) -> tuple[list[Tensor], Tensor]:
    """Rows that come to each step's curve and to the input, last step first; and bounds [batch, 2 * rows].

    Lower bounds of `spec` times the outputs, [batch or 1, rows, outputs], or of all outputs, come first and then those
    of their negatives.
    """
    rows, odd, even = _started(factors[-1], layers[-1].error, spec)
    found, mirrored = list[Tensor](), True
    for here, layer in zip(reversed(factors[:-1]), reversed(layers[:-1]), strict=True):
        found.append(rows)
        there, odd = moved(rows, layer.lines.unbind(), None, here.bias, odd, even, mirrored)
        rows, even, mirrored = linear(there, here.weight.T), 0.0, False
    return [*found, rows], least(rows, *box, None, odd, even, mirrored)


def _started(last: Factors, error: Tensor, spec: Tensor | None) -> tuple[Tensor, Share, Share]:
    """Rows at the last layer's input, and shares that do and do not turn with their sign."""
    if spec is None:
        return last.weight.unsqueeze(0), 0.0 if last.bias is None else last.bias.unsqueeze(0), error
    odd, even = shares(spec, last.bias, error, None)
    assert even is not None
    return linear(spec, last.weight.T), 0.0 if odd is None else odd, even


class RowGradients:
    """Gradients that come by way of rows, added up over pieces of the batch."""

    def __init__(self, factors: Sequence[Factors], to_box: bool, to_spec: bool) -> None:
        """Whether the input and the specification have gradients."""
        self._factors, self._to_box, self._to_spec = factors, (to_box, to_box), to_spec
        self.weights: list[Tensor | None] = [None] * len(factors)
        self.biases: list[Tensor | None] = [None] * len(factors)
        self.lines: list[list[Tensor]] = [[] for _ in factors]
        """For each step the pieces [4, batch, units] in turn."""
        self.boxes: list[Box] = []
        self.specs: list[Tensor] = []

    def add(
        self, layers: Sequence[Layer], box: Box, spec: Tensor | None, found: Sequence[Tensor], given: Tensor
    ) -> None:
        """A piece: what went into `rows_of`, what came out of it, and the gradients in its bounds."""
        to_rows, to_center, to_radius = least_back(found[-1], box, None, given, False, self._to_box)
        if to_center is not None and to_radius is not None:
            self.boxes.append((to_center, to_radius))
        last = len(self._factors) - 1
        for place, (here, layer) in enumerate(zip(self._factors[:-1], layers[:-1], strict=True)):
            rows, lines, mirrored = found[last - 1 - place], layer.lines.unbind(), place == last - 1
            there, _ = moved(rows, lines, None, None, 0.0, 0.0, mirrored)
            _add(self.weights, place, crossed(there.flatten(0, 1), to_rows.flatten(0, 1)))
            to_there = linear(to_rows, here.weight)
            to_rows, to_lines, to_bias = moved_back(rows, lines, None, here.bias, to_there, given, mirrored)
            self.lines[place].append(to_lines)
            if to_bias is not None:
                _add(self.biases, place, to_bias)
        own, turned = given.chunk(2, 1)
        self._start(spec, to_rows, (own - turned).sum_to_size(to_rows.shape[:2]))

    def _start(self, spec: Tensor | None, to_rows: Tensor, to_odd: Tensor) -> None:
        """Gradients in the last layer and the specification, from those in rows at its input and their bias's share."""
        last, place = self._factors[-1], len(self._factors) - 1
        if spec is None:
            _add(self.weights, place, to_rows[0])
            _add(self.biases, place, to_odd[0])
            return
        rows = spec.flatten(0, 1)
        _add(self.weights, place, crossed(rows, to_rows.flatten(0, 1)))
        _add(self.biases, place, to_odd.flatten() @ rows)
        if self._to_spec:
            to_spec = linear(to_rows, last.weight)
            self.specs.append(to_spec if last.bias is None else torch.addcmul(to_spec, to_odd.unsqueeze(2), last.bias))


def _add(sums: list[Tensor | None], place: int, more: Tensor) -> None:
    there = sums[place]
    sums[place] = more if there is None else there.add_(more)


def gradients_of_layers(
    factors: Sequence[Factors], layers: Sequence[Layer], rows: RowGradients, choice: str, to_region: bool
) -> Tensor | None:
    """Add to the gradients of weights and biases those that come by way of lines; those in the corners, or None."""
    to_both: Tensor | None = None
    for place in range(len(factors) - 2, -1, -1):
        here, layer = factors[place], layers[place]
        to_before = _lines_back(here, layer, torch.cat(rows.lines[place], 1), choice)
        if to_both is not None:
            to_before.add_(to_both.mul_(_slopes(here, layer)))
        to_center, to_radius = to_before[1] + to_before[0], to_before[1] - to_before[0]
        share = share_of(here.weight.shape[1] + 1, here.weight.dtype, 0.0)
        center, radius = middles(*layer.source, share, 0.0, here.weight.dtype, sized=False)
        apart = crossed(to_radius, radius).mul(here.weight.sign())
        _add(rows.weights, place, crossed(to_center, center).add(apart))
        _add(rows.biases, place, to_center.sum(0))
        if place > 0 or to_region:
            to_center, to_radius = linear(to_center, here.weight.T), linear(to_radius, here.absolute.T)
            to_both = widened(to_center, to_radius, 1.0).mul_(0.5)
    return to_both if to_region else None


def _slopes(here: Factors, layer: Layer) -> Tensor:
    """Derivatives of a curve at both ends."""
    if isinstance(here.step.curve, ReLU):
        return (torch.stack(layer.before) > 0).to(layer.lines.dtype)
    return (1 - layer.values[:2].square()).mul_(_scale(here) ** 2)


def _lines_back(here: Factors, layer: Layer, to_lines: Tensor, choice: str) -> Tensor:
    """Gradients in both ends before a curve, [2, batch, units]."""
    if isinstance(here.step.curve, ReLU):
        to_free, _, to_slope, to_shift = to_lines.unbind()
        return relu_back(*layer.before, to_free, to_slope, to_shift, choice)
    return tanh_back(layer.points, layer.values, to_lines, _scale(here))
