"""Bounds of every node that needs them, and of the output: intervals forward, relaxations backward."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.backward import Backward, Relaxation
from sparring_plugins.propagation.boxes import Boxes
from sparring_plugins.propagation.curves import ReLU
from sparring_plugins.propagation.enclosure import Enclosure, Take
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Affine, Elementwise, Interval, Node, Planar
from sparring_plugins.propagation.outward import outward_lines, outward_planes
from sparring_plugins.propagation.scratch import keep_memory
from sparring_plugins.propagation.specified import over_box
from sparring_plugins.propagation.windows import Windows, largest_window

__all__ = ["Inner", "Propagation"]

Inner = Literal["ibp", "crown"]
"""How the nodes inside are bounded."""

CACHED = 1 << 19
"""Coefficients in one tensor of rows that stay in a processor's cache; what has more goes in several passes."""
MOST = 1 << 24
"""The same where passes are many to store: on other devices, and under differentiation."""
FEW = 0.3
"""Share of unstable units below which rows are made for those alone."""


class Propagation:
    """Bounds of a graph's nodes over a region."""

    def __init__(self, graph: Graph, region: Region, inner: Inner, slope: str = "adaptive") -> None:
        self._graph, self._region, self._inner, self._slope = graph, region, inner, slope
        self._enclosure = Enclosure(region, len(graph.nodes))
        self._intervals = [Interval(self._enclosure.low, self._enclosure.high)]
        self._relaxations: dict[int, Relaxation] = {}
        self._errors: dict[int, Tensor | None] = {}
        self._only_boxes = False
        plain = self._enclosure.low.device.type == "cpu" and not torch.is_grad_enabled()
        self._most = CACHED if plain else MOST
        if plain:
            keep_memory()

    def bounds(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each, by a backward pass."""
        self._fill(self._graph.output)
        return self._backward_bounds(self._graph.output, spec)

    def box(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each, by intervals alone."""
        if self._enclosure.is_box and len(self._intervals) == 1:
            boxes = Boxes(self._graph, self._region)
            found, self._intervals = boxes.bounds(spec), boxes.intervals()
            return found
        output, self._only_boxes = self._graph.output, True
        node = self._graph.nodes[output]
        if self._graph.affine_in_input[output] and not self._enclosure.is_box:
            return self.bounds(spec)  # a dual norm is exact, and as quick
        merged = spec is not None and isinstance(node, Linear) and len(node.shape) == 1
        self._fill(output if merged else output + 1)
        if spec is None:
            return self._intervals[output]
        return over_box(node, self._intervals[node.inputs[0] if merged else output], spec)

    def inside(self) -> tuple[Sequence[Interval], Callable[[int], Tensor | None]]:
        """Intervals of all nodes before the output, and the rounding at an affine node, by its place."""
        self._fill(self._graph.output)
        return self._intervals, self._error

    def _fill(self, until: int) -> None:
        """Intervals of all nodes before a place."""
        for place in range(len(self._intervals), until):
            self._intervals.append(self._interval(place))

    def _sources(self, node: Node) -> list[Interval]:
        return [self._intervals[source] for source in node.inputs]

    def _interval(self, place: int) -> Interval:
        node = self._graph.nodes[place]
        if not isinstance(node, Affine):
            return node.interval(*self._sources(node))
        needed = place in self._graph.bounded
        if self._graph.affine_in_input[place] and not self._enclosure.is_box and (needed or self._boxes_from(place)):
            return Interval(*self._backward_bounds(place, None))
        if self._only_boxes:
            return node.interval(*self._sources(node))
        step, self._errors[place] = node.interval_and_error(*self._sources(node))
        exact = node.inputs == (0,) and self._enclosure.is_box
        if self._inner == "ibp" or not needed or exact:
            return step
        found = self._tightened(place, step)
        return found.met(step) if place in self._graph.under_domains else found

    def _boxes_from(self, place: int) -> bool:
        """Whether boxes go on from here to what is no affine function of the input: the last place for a dual norm."""
        affine = self._graph.affine_in_input
        return self._inner == "ibp" and not all(affine[user] for user in self._graph.users[place])

    def _tightened(self, place: int, step: Interval) -> Interval:
        """Bounds by backward passes, only for units whose relaxation depends on them."""
        windows = self._window(place) is not None
        if all(self._kinked(user) for user in self._graph.users[place]):
            unstable = (step.low < 0) & (step.high > 0)
            if windows:
                return self._scattered(place, step, _by_place(unstable))
            found = unstable.flatten(1).nonzero()
            if len(found) < FEW * unstable.numel():
                return self._scattered(place, step, found)
            # The others keep their interval here too: what one sample gets must not depend on the others of its batch.
            all_of_them = self._backward_bounds(place, None)
            return Interval(*(torch.where(unstable, new, old) for new, old in zip(all_of_them, step, strict=True)))
        if windows:
            return self._scattered(place, step, _by_place(torch.ones_like(step.low)))
        return Interval(*self._backward_bounds(place, None))

    def _window(self, place: int) -> int | None:
        return largest_window(self._graph, place) if self._enclosure.is_box else None

    def _kinked(self, place: int) -> bool:
        """Whether a node depends on no more than the sign of what it takes, and nobody on its own range."""
        node = self._graph.nodes[place]
        return isinstance(node, Elementwise) and isinstance(node.curve, ReLU) and place not in self._graph.bounded

    def _scattered(self, place: int, step: Interval, found: Tensor) -> Interval:
        """Bounds of chosen units; the others keep their interval."""
        if len(found) == 0:
            return step
        size = max(1, self._most // (2 * (self._window(place) or self._graph.widest[place])))
        least_of = self._least_of_some(place)
        least = torch.cat([least_of(some[:, 0], some[:, 1]) for some in found.split(size)])
        where = (found[:, 0], found[:, 1])
        low = step.low.flatten(1).index_put(where, least[:, 0]).view_as(step.low)
        high = step.high.flatten(1).index_put(where, -least[:, 1]).view_as(step.high)
        return Interval(low, high)

    def _least_of_some(self, place: int) -> Callable[[Tensor, Tensor], Tensor]:
        """Lower bounds of units and of their negatives, [count, 2], for samples and units, [count] each."""
        if self._window(place) is not None:
            return Windows(self._graph, self._enclosure, self.relaxation, self._error, place).least
        if self._starts_itself(place):
            return lambda take, units: self._backward(take).least_of_units(place, units)
        shape, like = self._graph.nodes[place].shape, self._enclosure.low
        return lambda take, units: self._backward(take).least(place, _one_hot(units, shape, like))

    def _starts_itself(self, place: int) -> bool:
        node = self._graph.nodes[place]
        return isinstance(node, Linear) and len(node.shape) == 1

    def _backward(self, take: Take | None) -> Backward:
        return Backward(self._graph, self._enclosure, self.relaxation, self._error, take)

    def _backward_bounds(self, place: int, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of rows at a place, or of its units, in pieces of the batch and of the rows that fit."""
        shape, batch = self._graph.nodes[place].shape, self._enclosure.low.shape[0]
        count = math.prod(shape) if spec is None else spec.shape[-2]
        wide = 2 * self._graph.widest[place]
        rows = min(count, max(1, self._most // wide))
        samples = min(batch, max(1, self._most // (wide * rows)))
        takes = [slice(first, first + samples) for first in range(0, batch, samples)] if samples < batch else [None]
        whole = rows == count
        halves = [
            _joined([self._least(place, spec, take, None if whole else piece) for take in takes], 0).chunk(2, 1)
            for piece in _pieces(count, rows)
        ]
        low, high = (_joined(parts, 1) for parts in zip(*halves, strict=True))
        if spec is None and len(shape) > 1:
            low, high = low.view(batch, *shape), high.view(batch, *shape)
        return low, -high

    def _least(self, place: int, spec: Tensor | None, take: slice | None, piece: slice | None) -> Tensor:
        shape, backward = self._graph.nodes[place].shape, self._backward(take)
        if spec is None:
            if piece is None and self._starts_itself(place):
                return backward.least_of_units(place, None)
            units = torch.arange(math.prod(shape), device=self._enclosure.low.device)
            units = units if piece is None else units[piece]
            return backward.least(place, _one_hot(units, shape, self._enclosure.low).transpose(0, 1))
        rows = spec if piece is None else spec[..., piece, :]
        if rows.dim() == 2:
            rows = rows.unsqueeze(0)
        elif take is not None:
            rows = rows[take]
        return backward.least(place, rows.reshape(*rows.shape[:2], *shape))

    def relaxation(self, place: int) -> Relaxation:
        """Lines around the curve, or planes around the function, at a place, moved outward for rounding."""
        found = self._relaxations.get(place)
        if found is None:
            node = self._graph.nodes[place]
            sources = self._sources(node)
            if isinstance(node, Elementwise):
                error = self._error(node.inputs[0]) if node.inputs[0] in self._graph.under_curves else None
                found = Relaxation(outward_lines(node.curve, sources[0], error, len(self._graph.nodes), self._slope))
            else:
                assert isinstance(node, Planar)
                found = Relaxation(
                    outward_planes(node.planes(*sources), sources, node.error(*sources), len(self._graph.nodes))
                )
            self._relaxations[place] = found
        return found

    def _error(self, place: int) -> Tensor | None:
        if place not in self._errors:
            node = self._graph.nodes[place]
            assert isinstance(node, Affine)
            self._errors[place] = node.error(*self._sources(node))
        return self._errors[place]


def _by_place(chosen: Tensor) -> Tensor:
    """Sample and unit of all that is chosen in [batch, channels, height, width], those of one place in a row."""
    size = chosen.shape[2:].numel()
    sample, place, channel = chosen.flatten(2).transpose(1, 2).nonzero().unbind(1)
    return torch.stack([sample, channel * size + place], 1)


def _joined(parts: list[Tensor] | tuple[Tensor, ...], dim: int) -> Tensor:
    """Parts side by side; one alone as it is."""
    return parts[0] if len(parts) == 1 else torch.cat(parts, dim)


def _pieces(count: int, size: int) -> Iterator[slice]:
    """Slices that cover `count` rows."""
    return (slice(first, first + size) for first in range(0, count, size))


def _one_hot(units: Tensor, shape: tuple[int, ...], like: Tensor) -> Tensor:
    """A row for each unit, [units, 1, *shape]."""
    rows = torch.zeros(len(units), math.prod(shape), dtype=like.dtype, device=like.device)
    rows[torch.arange(len(units), device=like.device), units] = 1
    return rows.view(len(units), 1, *shape)
