"""Backward propagation of linear lower bounds, node by node to the input (CROWN; thesis, algorithm 3.1)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.compiled_rows import Share, least_over_boxes, shares, through_lines
from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.dense import linear
from sparring_plugins.propagation.enclosure import Enclosure, Take
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.nodes import Affine, Elementwise, Node, Planes

__all__ = ["Backward", "Relaxation"]


@dataclass(frozen=True, eq=False)
class Relaxation:
    """What a backward pass needs of a node that is not affine: lines or planes, moved outward for rounding.

    They hold for what the victim computes here and in the affine node below a curve, and leave room for the
    rounding of rows that are moved through.
    """

    lines: Lines | Planes
    """Slopes and intercepts, [batch, *shape], or [batch, rows, *shape] where every row has its own."""
    per_row: bool = False


class Backward:
    """One pass: rows of coefficients start at a node and are moved to its inputs until they stand at the input.

    Rows bound from below only. An upper bound is the negative of a lower bound of the negated row, so rows are
    'mirrored' at first: they stand for themselves and for their negatives, at no cost until the first relaxation,
    where the two part.
    """

    def __init__(
        self,
        graph: Graph,
        enclosure: Enclosure,
        relaxation: Callable[[int], Relaxation],
        error: Callable[[int], Tensor | None],
        take: Take | None = None,
    ) -> None:
        """`take` names the sample of each entry of the rows' batch, where that is not the region's batch.

        `relaxation` and `error` give, for a node, the region's batch; an error bounds rounding at an affine node
        for each unit of a row's coefficient there.
        """
        self._graph, self._enclosure = graph, enclosure
        self._relaxation, self._error, self._take = relaxation, error, take

    def least(self, target: int, rows: Tensor) -> Tensor:
        """Lower bounds of `rows` times a node's output and then of their negatives, [batch, 2 * rows].

        Args:
            target: place of the node.
            rows: [batch or 1, rows, *shape of the node].
        """
        return self._descend(target, {target: rows}, 0.0, 0.0)

    def least_of_units(self, target: int, units: Tensor | None) -> Tensor:
        """The same for a linear layer's own units: their rows are known without a product.

        Args:
            target: place of a `Linear` with one dimension.
            units: one unit for each entry of the rows' batch, or None for a row each unit.
        """
        node, error = self._graph.nodes[target], self._error(target)
        assert isinstance(node, Linear)
        bias = node.bias()
        odd: Share = 0.0 if bias is None else _of_units(bias, units)
        even: Share = 0.0
        if error is not None:
            error = self._picked(error)
            even = error if units is None else error.gather(1, units.unsqueeze(1))
        return self._descend(target - 1, {node.inputs[0]: _of_units(node.weight(), units)}, odd, even)

    def _descend(self, first: int, rows: dict[int, Tensor], odd: Share, even: Share) -> Tensor:
        """Move rows down from a place; `odd` and `even` are shares that do and do not turn with a row's sign."""
        self._rows, self._odd, self._even, self._mirrored = rows, odd, even, True
        self._counted: set[int] = set()
        for place in range(first, 0, -1):
            here = self._rows.pop(place, None)
            if here is not None:
                self._move(place, here, place == first)
        return self._least_at_input()

    def _least_at_input(self) -> Tensor:
        rows = self._rows.pop(0, None)
        if rows is not None and self._enclosure.is_box and serves(rows, rows.numel()):
            box, take = self._enclosure.box, self._take
            if isinstance(take, slice):
                box, take = (box[0][take], box[1][take]), None
            return least_over_boxes(rows.flatten(2), box, take, self._odd, self._even, self._mirrored)
        known = self._both(self._odd, -1.0) - self._both(self._even, 1.0)
        if rows is None:
            return known + self._enclosure.low.new_zeros(self._enclosure.low.shape[0], 1)
        return self._enclosure.least(rows.flatten(2), self._take, self._mirrored) + known

    def _both(self, share: Share, sign: float) -> Share:
        """A share of each row, and of each mirrored row behind them."""
        return torch.cat([share, share * sign], 1) if self._mirrored and isinstance(share, Tensor) else share

    def _move(self, place: int, rows: Tensor, starting: bool) -> None:
        node = self._graph.nodes[place]
        if isinstance(node, Affine):
            self._through_affine(place, node, rows, starting)
        elif isinstance(node, Elementwise):
            self._through_curve(place, node, rows)
        else:
            self._through_planes(place, node, rows)

    def _put(self, place: int, rows: Tensor) -> None:
        there = self._rows.get(place)
        self._rows[place] = rows if there is None else there + rows

    def _through_affine(self, place: int, node: Affine, rows: Tensor, starting: bool) -> None:
        bias = None if place in self._counted else node.bias()
        # Where only curves come after a node, their lines already hold its error.
        error = self._error(place) if node.terms and (starting or place not in self._graph.under_curves) else None
        if (bias is not None or error is not None) and serves(rows, rows.numel()):
            self._count(rows, None if bias is None else bias.expand(node.shape), error)
        else:
            if bias is not None:
                self._odd = self._odd + _in_double(rows.flatten(2), bias.expand(node.shape).flatten())
            if error is not None:
                self._even = self._even + _product(rows.detach().abs(), self._picked(error))
        count = rows.shape[:2]
        for source, moved in zip(node.inputs, node.adjoint(rows.flatten(0, 1)), strict=True):
            if moved is not None:
                self._put(source, moved.view(*count, *moved.shape[1:]))

    def _count(self, rows: Tensor, bias: Tensor | None, error: Tensor | None) -> None:
        """Add what rows come to at an affine node."""
        take = self._take
        if isinstance(take, slice):
            error, take = None if error is None else error[take], None
        odd, even = shares(rows, bias, error, take)
        if odd is not None:
            self._odd = self._odd + odd
        if even is not None:
            self._even = self._even + even

    def _parted(self, rows: Tensor) -> Tensor:
        """Let rows and their negatives part, wherever they stand."""
        if not self._mirrored:
            return rows
        self._odd, self._even = self._both(self._odd, -1.0), self._both(self._even, 1.0)
        self._part_waiting()
        return torch.cat([rows, -rows], 1)

    def _part_waiting(self) -> None:
        if self._mirrored:
            self._rows = {place: torch.cat([waiting, -waiting], 1) for place, waiting in self._rows.items()}
            self._mirrored = False

    def _through_curve(self, place: int, node: Elementwise, rows: Tensor) -> None:
        found = self._relaxation(place)
        lines = found.lines
        assert isinstance(lines, Lines)
        if not found.per_row and serves(rows, 2 * rows.numel()) and not self._is_shared(node, rows, lines):
            self._through_lines(node.inputs[0], rows, lines)
            return
        picked = _as_it_is if found.per_row else self._picked
        slopes = (picked(lines.lower_slope), picked(lines.upper_slope))
        shifts = (picked(lines.lower_intercept), picked(lines.upper_intercept))
        if self._is_shared(node, rows, lines, found.per_row):
            self._shared(node, rows, slopes, shifts)
            return
        rows = self._parted(rows)
        positive, negative = rows.clamp(min=0), rows.clamp(max=0)
        if found.per_row:
            self._odd = self._odd + (positive * shifts[0] + negative * shifts[1]).flatten(2).sum(2)
        else:
            self._odd = self._odd + (_product(positive, shifts[0]) + _product(negative, shifts[1]))
            slopes = (slopes[0].unsqueeze(1), slopes[1].unsqueeze(1))
        self._put(node.inputs[0], torch.addcmul(positive * slopes[0], negative, slopes[1]))

    def _through_lines(self, below: int, rows: Tensor, lines: Lines) -> None:
        """Through a curve and past the bias of the layer below, where no other curve stands on that."""
        layer, take = self._graph.nodes[below], self._take
        bias = layer.bias() if isinstance(layer, Affine) and len(self._graph.users[below]) == 1 else None
        if bias is not None:
            self._counted.add(below)
            bias = bias.expand(layer.shape)
        if isinstance(take, slice):
            lines, take = lines.each(self._picked), None
        moved, known = through_lines(rows, lines, take, bias, self._odd, self._even, self._mirrored)
        self._part_waiting()
        self._odd, self._even = known, 0.0
        self._put(below, moved)

    def _through_planes(self, place: int, node: Node, rows: Tensor) -> None:
        """As through a curve, with a slope for each input."""
        found = self._relaxation(place)
        planes = found.lines
        assert isinstance(planes, Planes)
        rows = self._parted(rows)
        positive, negative = rows.clamp(min=0), rows.clamp(max=0)
        picked = _as_it_is if found.per_row else self._picked
        below, above = picked(planes.lower_intercept), picked(planes.upper_intercept)
        if found.per_row:
            self._odd = self._odd + (positive * below + negative * above).flatten(2).sum(2)
        else:
            self._odd = self._odd + (_product(positive, below) + _product(negative, above))
        for source, lower, upper in zip(node.inputs, planes.lower, planes.upper, strict=True):
            slopes = (picked(lower), picked(upper))
            if not found.per_row:
                slopes = (slopes[0].unsqueeze(1), slopes[1].unsqueeze(1))
            self._put(source, torch.addcmul(positive * slopes[0], negative, slopes[1]))

    def _is_shared(self, node: Elementwise, rows: Tensor, lines: Lines, per_row: bool = False) -> bool:
        """Whether all samples share the rows at a curve, and the layer below has fewer inputs than there are rows."""
        layer = self._graph.nodes[node.inputs[0]]
        return (
            isinstance(layer, Linear) and self._mirrored and not self._rows and not per_row and rows.shape[0] == 1
            and lines.lower_slope.shape[0] != 1 and len(node.shape) == 1 and rows.shape[1] > layer.weight().shape[1]
        )  # fmt: skip

    def _shared(
        self,
        node: Elementwise,
        rows: Tensor,
        slopes: tuple[Tensor, Tensor],
        shifts: tuple[Tensor, Tensor],
    ) -> None:
        """Move rows that all samples share through a curve and the linear layer below it in one product.

        With slopes split into middle and half-width the moved rows are `rows m W -+ |rows| h W`, and `m W`, `h W`
        are small where the layer has few inputs: no tensor [batch, rows, units] is ever made.
        """
        below = node.inputs[0]
        layer = self._graph.nodes[below]
        assert isinstance(layer, Linear)
        matrix, weight, bias = rows[0], layer.weight(), layer.bias()
        middle, half = (slopes[1] + slopes[0]) * 0.5, (slopes[1] - slopes[0]) * 0.5
        center, width = (shifts[1] + shifts[0]) * 0.5, (shifts[1] - shifts[0]) * 0.5
        if bias is not None:
            center, width = torch.addcmul(center, middle, bias), torch.addcmul(width, half, bias)
        error = self._error(below)
        if error is not None:
            # Middle and half are multiplied apart, each with its rounding, where one of two slopes would have been.
            width = torch.addcmul(width, middle.abs() + half, self._picked(error))
        absolute = matrix.abs()
        known, unsure = self._odd + linear(center, matrix), self._even + linear(width, absolute)
        count, entries = weight.shape[1], matrix.shape[0]
        there = linear(matrix, _columns(middle, weight).T).view(entries, -1, count).transpose(0, 1)
        apart = linear(absolute, _columns(half, weight).T).view(entries, -1, count).transpose(0, 1)
        self._odd = torch.cat([known - unsure, -known - unsure], 1)
        self._even, self._mirrored = 0.0, False
        self._rows[layer.inputs[0]] = torch.cat([there - apart, -there - apart], 1)

    def _picked(self, values: Tensor) -> Tensor:
        """Values of the region's batch for the rows' batch."""
        return values if self._take is None else values[self._take]


def _of_units(values: Tensor, units: Tensor | None) -> Tensor:
    """Entries of all units, [1, units, ...], or of one for each entry of a batch, [batch, 1, ...]."""
    return values.unsqueeze(0) if units is None else values[units].unsqueeze(1)


def _as_it_is(values: Tensor) -> Tensor:
    return values


def _in_double(rows: Tensor, bias: Tensor) -> Tensor:
    """`rows b`, summed in double precision: see `Affine.interval_and_error`."""
    return (rows.double() @ bias.double()).to(rows.dtype)


def _columns(slopes: Tensor, weight: Tensor) -> Tensor:
    """`slope_j W_jk` for each sample side by side, [units, batch * inputs]."""
    return (slopes.T.unsqueeze(2) * weight.unsqueeze(1)).flatten(1)


def _product(rows: Tensor, values: Tensor) -> Tensor:
    """`rows v` for rows [batch or 1, rows, *shape] and values [batch, *shape]."""
    if rows.shape[0] == 1:
        return values.flatten(1) @ rows[0].flatten(1).T
    return torch.bmm(rows.flatten(2), values.flatten(1).unsqueeze(2)).squeeze(2)
