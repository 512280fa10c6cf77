"""Backward passes from units of a convolution: rows are small windows that move without zeros around them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_plugins.propagation.affine import Conv
from sparring_plugins.propagation.backward import Relaxation
from sparring_plugins.propagation.compiled_rows import least_over_boxes, through_lines
from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.enclosure import Enclosure
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.nodes import Elementwise, Input

__all__ = ["Windows", "largest_window"]


def largest_window(graph: Graph, place: int) -> int | None:
    """Most coefficients of a unit's window on its way to the input, None where units have no windows.

    They have where a plain two-dimensional convolution stands on curves and further such convolutions alone, down to a
    box.
    """
    node, most = graph.nodes[place], 0
    sides: tuple[int, ...] = (1, 1)
    while isinstance(node, Conv) and node.plain:
        sides = node.window(sides)
        source = graph.nodes[node.inputs[0]]
        most = max(most, math.prod(sides) * source.shape[0])
        if isinstance(source, Input):
            return most
        if not isinstance(source, Elementwise) or source.inputs[0] not in graph.under_curves:
            return None
        node = graph.nodes[source.inputs[0]]
    return None


@dataclass(frozen=True, eq=False)
class _Corner:
    """Where windows begin, and in which sample, [windows], with the least and greatest place that is possible."""

    take: Tensor
    row: Tensor
    column: Tensor
    ends: tuple[tuple[int, int], tuple[int, int]]

    def below(self, layer: Conv) -> _Corner:
        """The corner of the window at the layer's input."""
        first, second = layer.stride
        pad, aside = layer.padding
        (top, bottom), (left, right) = self.ends
        ends = ((top * first - pad, bottom * first - pad), (left * second - aside, right * second - aside))
        return _Corner(self.take, self.row * first - pad, self.column * second - aside, ends)


class Windows:
    """Lower bounds of units of a convolution and of their negatives; see `Backward`, which this is for windows."""

    def __init__(
        self,
        graph: Graph,
        enclosure: Enclosure,
        relaxation: Callable[[int], Relaxation],
        error: Callable[[int], Tensor | None],
        target: int,
    ) -> None:
        """`target` is the place of the convolution."""
        self._graph, self._enclosure, self._relaxation, self._error = graph, enclosure, relaxation, error
        self._target = target
        self._pictures: dict[int, _Pictures] = {}

    def least(self, take: Tensor, units: Tensor) -> Tensor:
        """Lower bounds [count, 2] for `count` pairs of a sample and a unit.

        Pairs of one place that follow each other share their windows: those are cut out once.
        """
        layer = self._graph.nodes[self._target]
        assert isinstance(layer, Conv)
        _, high, wide = layer.shape
        size = high * wide
        channel = units // size
        shared, which = (take * size + units % size).unique_consecutive(return_inverse=True)
        place = shared % size
        ends = ((0, high - 1), (0, wide - 1))
        corner = _Corner(shared // size, place // wide, place % wide, ends).below(layer)
        rows = layer.weight()[channel]
        bias, error = layer.flat_bias(), self._error(self._target)
        known = rows.new_zeros(len(units)) if bias is None else bias[channel]
        unsure = torch.zeros_like(known) if error is None else error.flatten(1)[take, units]
        rows, known = torch.stack([rows, -rows], 1), torch.stack([known - unsure, -known - unsure], 1)
        source = layer.inputs[0]
        while source:
            layer = self._graph.nodes[self._graph.nodes[source].inputs[0]]
            assert isinstance(layer, Conv)
            cut = self._cut(source, corner, rows.shape[-2:])
            rows, known = _through_curve(cut, layer.flat_bias(), rows, known, which)
            moved = layer.adjoint_of_window(rows.flatten(0, 1))
            rows, corner, source = moved.unflatten(0, (-1, 2)), corner.below(layer), layer.inputs[0]
        center, radius = self._cut(source, corner, rows.shape[-2:]).flatten(2)
        if serves(rows, rows.numel()):
            return least_over_boxes(rows.flatten(2), (center, radius), which, known, 0.0, mirrored=False)
        return known + self._enclosure.least_in_box(rows.flatten(2), center[which], radius[which], mirrored=False)

    def _cut(self, source: int, corner: _Corner, size: tuple[int, ...]) -> Tensor:
        """Windows of a place's lines, or of the centre and radius of the input."""
        if source not in self._pictures:
            if source:
                lines = self._relaxation(source).lines
                assert isinstance(lines, Lines)
                parts = [lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept]
            else:
                parts = [part.view(self._enclosure.low.shape) for part in self._enclosure.box]
            self._pictures[source] = _Pictures(torch.stack(parts), corner.ends, size)
        return self._pictures[source].cut(corner)


class _Pictures:
    """What windows are cut out of."""

    def __init__(self, values: Tensor, ends: tuple[tuple[int, int], tuple[int, int]], size: tuple[int, ...]) -> None:
        """Values [values, batch, channels, height, width], and `ends` of corners of windows of that size."""
        (top, bottom), (left, right) = ends
        high, wide = values.shape[3:]
        self._before = max(0, -top), max(0, -left)
        after = max(0, bottom + size[0] - high), max(0, right + size[1] - wide)
        if any(self._before) or any(after):
            values = F.pad(values, (self._before[1], after[1], self._before[0], after[0]))
        self._shape, self._values = values.shape[2:], values.flatten(1)
        # How far the numbers of a window lie behind its first one.
        places = torch.arange(self._shape.numel(), device=values.device).view(self._shape)
        self._steps = places[:, : size[0], : size[1]]

    def cut(self, corner: _Corner) -> Tensor:
        """Windows [values, windows, channels, *size], zero beyond the rim."""
        channels, high, wide = self._shape
        row, column = corner.row + self._before[0], corner.column + self._before[1]
        first = (corner.take * (channels * high) + row) * wide + column
        places = first.view(-1, 1, 1, 1) + self._steps
        return self._values.index_select(1, places.flatten()).view(-1, *places.shape)


def _through_curve(
    cut: Tensor, bias: Tensor | None, rows: Tensor, known: Tensor, which: Tensor
) -> tuple[Tensor, Tensor]:
    """Rows [count, 2, *window] times slopes, and `known` with what intercepts and the bias below come to.

    Of the windows of lines that are cut out, `which` names that of each pair of rows.
    """
    if serves(rows, rows.numel()):
        whole = None if bias is None else bias.view(-1, 1, 1).expand(rows.shape[2:])
        return through_lines(rows, Lines(*cut), which, whole, known, 0.0, mirrored=False)
    lower, low_shift, upper, high_shift = cut[:, which]
    positive, negative = rows.clamp(min=0), rows.clamp(max=0)
    known = known + (_product(positive, low_shift) + _product(negative, high_shift))
    moved = torch.addcmul(positive * lower.unsqueeze(1), negative, upper.unsqueeze(1))
    if bias is not None:
        # In double precision: see `Affine.interval_and_error`.
        known = known + (moved.sum((-2, -1), dtype=torch.float64) @ bias.double()).to(known.dtype)
    return moved, known


def _product(rows: Tensor, values: Tensor) -> Tensor:
    """`rows v` for rows [count, 2, *window] and values [count, *window]."""
    return torch.bmm(rows.flatten(2), values.flatten(1).unsqueeze(2)).squeeze(2)
