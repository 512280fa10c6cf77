"""CROWN-IBP of a run of layers without torch's bookkeeping: boxes and lines upward, rows downward, and gradients.

Rows go a piece of the batch at a time, so that they stay in a processor's cache with all that is made of them. What
rounding adds is as in `nodes.Affine.interval_and_error` and `outward`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from sparring_plugins.propagation.compiled_lines import relu_back, relu_lines, tanh_back, tanh_lines
from sparring_plugins.propagation.compiled_rows import Share, least, least_back, moved, moved_back
from sparring_plugins.propagation.curves import ReLU, Tanh
from sparring_plugins.propagation.dense import crossed, linear
from sparring_plugins.propagation.ends import Ends, widened
from sparring_plugins.propagation.middles import reaches
from sparring_plugins.propagation.passing import Factors, slopes_at
from sparring_plugins.propagation.rounding import share_of, tiny

__all__ = ["Box", "Layer", "RowGradients", "gradients_of_layers", "layers_of", "rows_of"]

Box = tuple[Tensor, Tensor]
"""Centre and radius of the input, [batch, inputs], as of `Enclosure.box`."""


class Layer(NamedTuple):
    """A step's box and the lines around its curve."""

    share: float
    """By which boxes are widened (see `ends`)."""
    center: Tensor
    reach: Tensor
    """Of the layer's input, [batch, inputs]."""
    error: Tensor
    """Of the layer for each unit of a row's coefficient, [batch, units]."""
    values: Tensor
    """Of the curve at both ends, [2, batch, units]; the last step has none, and no lines."""
    lines: Tensor
    """[4, batch, units] (see `compiled_lines`)."""
    details: tuple[Tensor, Tensor]
    """What gradients of lines need: the ends before ReLU; points and values of another curve."""

    def part(self, samples: slice) -> Layer:
        """What rows of some samples need."""
        return self._replace(error=self.error[samples], lines=self.lines[:, samples])


def layers_of(factors: Sequence[Factors], both: Tensor, nodes: int, choice: str) -> list[Layer]:
    """Boxes and lines of a run whose last step has no curve, over a box [2, batch, inputs].

    Args:
        factors: of all steps.
        both: ends of the input.
        nodes: how many the graph has.
        choice: of the lower slope of an unstable ReLU.
    """
    found, ends = list[Layer](), Ends(both)
    for here in factors:
        share = share_of(here.weight.shape[1] + 1, both.dtype, ends.loose)
        center, reach = reaches(ends.both, share, ends.off)
        error = _error(here, ends)
        if here.step.curve is None:
            return [*found, Layer(share, center, reach, error, both[:0], both[:0], (both[:0], both[:0]))]
        middle, width = linear(center, here.weight, here.bias), linear(reach, here.absolute, here.bulk)
        before = widened(middle, width, share)
        lines, details = _lines(here, before, error, nodes, choice)
        past = here.step.curve.at_ends(before)
        assert past is not None
        ends = past
        found.append(Layer(share, center, reach, error, ends.both, lines, details))
    raise AssertionError("rows start at a layer")


def _error(here: Factors, inputs: Ends) -> Tensor:
    """`tiny + unsure (|W| size + |b|)`, with sizes that hold what the ends leave out."""
    size, layer = torch.maximum(inputs.both[1], -inputs.both[0]), here.step.layer
    if inputs.loose or inputs.off:
        size.mul_(1 + inputs.loose + 4 * torch.finfo(size.dtype).eps).add_(inputs.off)
    bulk = linear(size, here.absolute, here.bulk)
    return bulk.mul_(layer.unsure(size.dtype)).add_(tiny(layer.terms + layer.parts, size.dtype))


def _lines(
    here: Factors, before: Tensor, error: Tensor, nodes: int, choice: str
) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    low, high = before.unbind()
    if isinstance(here.step.curve, ReLU):
        return relu_lines(low, high, error, nodes, choice), (low, high)
    lines, points, values = tanh_lines(low, high, error, nodes, _scale(here))
    return lines, (points, values)


def _scale(here: Factors) -> float:
    """As of `tanh_lines`."""
    return 1.0 if isinstance(here.step.curve, Tanh) else 0.5


def rows_of(factors: Sequence[Factors], layers: Sequence[Layer], box: Box) -> tuple[list[Tensor], Tensor]:
    """Rows that come to each step's curve and to the input, last step first; and bounds [batch, 2 * rows].

    Lower bounds of all outputs come first and then those of their negatives.
    """
    last = factors[-1]
    rows, mirrored = last.weight.unsqueeze(0), True
    odd: Share = 0.0 if last.bias is None else last.bias.unsqueeze(0)
    even: Share = layers[-1].error
    found = list[Tensor]()
    for here, layer in zip(reversed(factors[:-1]), reversed(layers[:-1]), strict=True):
        found.append(rows)
        there, odd = moved(rows, layer.lines.unbind(), None, here.bias, odd, even, mirrored)
        rows, even, mirrored = linear(there, here.weight.T), 0.0, False
    return [*found, rows], least(rows, *box, None, odd, even, mirrored)


class RowGradients:
    """Gradients that come by way of rows, added up over pieces of the batch."""

    def __init__(self, factors: Sequence[Factors], to_box: bool) -> None:
        """`to_box` says whether the input has gradients."""
        self._factors, self._to_box = factors, (to_box, to_box)
        self.weights: list[Tensor | None] = [None] * len(factors)
        self.biases: list[Tensor | None] = [None] * len(factors)
        self.lines: list[list[Tensor]] = [[] for _ in factors]
        """For each step the pieces [4, batch, units] in turn."""
        self.boxes: list[Box] = []

    def add(self, layers: Sequence[Layer], box: Box, found: Sequence[Tensor], given: Tensor) -> None:
        """A piece: its layers, what `rows_of` gave of them, and the gradients in their bounds."""
        count = given.shape[1] // 2
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
        _add(self.weights, last, to_rows[0])
        _add(self.biases, last, (given[:, :count] - given[:, count:]).sum(0))


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
            to_before.add_(to_both.mul_(slopes_at(here.step, layer.values)))
        to_center, to_radius = to_before[1] + to_before[0], to_before[1] - to_before[0]
        apart = crossed(to_radius, layer.reach).mul(here.weight.sign())
        _add(rows.weights, place, crossed(to_center, layer.center).add(apart, alpha=layer.share))
        _add(rows.biases, place, to_center.sum(0))
        if place > 0 or to_region:
            to_center, to_radius = linear(to_center, here.weight.T), linear(to_radius, here.absolute.T)
            to_both = widened(to_center, to_radius, 1.0).mul_(0.5)
    return to_both if to_region else None


def _lines_back(here: Factors, layer: Layer, to_lines: Tensor, choice: str) -> Tensor:
    """Gradients in both ends before a curve, [2, batch, units]."""
    if isinstance(here.step.curve, ReLU):
        to_free, _, to_slope, to_shift = to_lines.unbind()
        return relu_back(*layer.details, to_free, to_slope, to_shift, choice)
    return tanh_back(*layer.details, to_lines, _scale(here))
