"""Bounds with optimised slopes (alpha-CROWN): every row finds its own, inside the network as at its end."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.ascent import Ascent, Effort
from sparring_plugins.propagation.backward import Backward, Relaxation
from sparring_plugins.propagation.enclosure import Take
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Elementwise, Interval, Planar
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.steered import steered_lines, steered_planes

__all__ = ["Optimised"]

CACHED = 1 << 16
"""Alphas in one tensor on a processor, where small ones stay in its cache."""
MOST = 1 << 23
"""The same on other devices."""


class Optimised(Propagation):
    """CROWN first; then the same bounds with slopes of their own for each row, kept where they are tighter.

    Inner nodes come one after the other, each over the intervals found before: a tighter interval inside helps all
    that comes later, so what is optimised there is each unit's own bound, not its share in the output's.
    """

    def __init__(self, graph: Graph, region: Region, effort: Effort, inside: bool = True) -> None:
        """`inside`: optimise bounds of inner nodes too."""
        super().__init__(graph, region, "crown")
        self._effort, self._plain = effort, Propagation(graph, region, "crown")
        self._inside, self._count = inside, len(graph.nodes)
        self._room = CACHED if self._enclosure.low.device.type == "cpu" else MOST

    def bounds(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each, nowhere looser than those of CROWN."""
        lower, upper = self._plain.bounds(spec)
        output = self._graph.output
        if not self._free_below(output):
            return lower, upper
        if self._inside:
            self._fill(output)
        else:
            self._intervals, self._errors = self._plain._intervals, self._plain._errors
            self._relaxations = self._plain._relaxations
        found = [torch.cat([self._raised(output, self._start_rows(spec, piece, take), take) for take in takes])
                 for piece, takes in self._pieces(lower.shape[1])]  # fmt: skip
        low = torch.cat([part[:, : part.shape[1] // 2] for part in found], 1)
        high = torch.cat([-part[:, part.shape[1] // 2 :] for part in found], 1)
        # A bound that overflowed, and is no number, says nothing: fmax and fmin pass it over.
        return torch.fmax(lower, low), torch.fmin(upper, high)

    def _free_below(self, place: int) -> bool:
        nodes = (self._graph.nodes[source] for source in self._graph.ancestors[place])
        return any(isinstance(node, Elementwise | Planar) for node in nodes)

    def _pieces(self, count: int) -> Iterator[tuple[slice, list[slice]]]:
        """Rows of the output and the samples to take at a time, as many as there is room for."""
        batch, wide = self._enclosure.low.shape[0], 2 * self._graph.widest[self._graph.output]
        rows = min(count, max(1, self._room // wide))
        samples = min(batch, max(1, self._room // (wide * rows)))
        for first in range(0, count, rows):
            yield slice(first, first + rows), [slice(at, at + samples) for at in range(0, batch, samples)]

    def _start_rows(self, spec: Tensor | None, piece: slice, take: slice) -> Tensor:
        shape, like = self._graph.nodes[self._graph.output].shape, self._enclosure.low
        if spec is None:
            count = torch.Size(shape).numel()
            return torch.eye(count, dtype=like.dtype, device=like.device)[piece].reshape(1, -1, *shape)
        rows = spec.unsqueeze(0) if spec.dim() == 2 else spec[take]
        return rows[:, piece].reshape(rows.shape[0], -1, *shape)

    def _tightened(self, place: int, step: Interval) -> Interval:
        """CROWN's interval, tightened where a relaxation depends on it."""
        plain = self._plain._intervals[place]
        low, high = torch.maximum(plain.low, step.low), torch.minimum(plain.high, step.high)
        if not self._free_below(place):
            return Interval(low, high)
        wanted = high > low
        if all(self._kinked(user) for user in self._graph.users[place]):
            wanted = (low < 0) & (high > 0)
        found = wanted.flatten(1).nonzero()
        if len(found) == 0:
            return Interval(low, high)
        least = torch.cat([self._raised_units(place, some) for some in self._shared_out(place, found)])
        where = (found[:, 0], found[:, 1])
        below, above = torch.full_like(low, -torch.inf).flatten(1), torch.full_like(low, torch.inf).flatten(1)
        below, above = below.index_put(where, least[:, 0]), above.index_put(where, -least[:, 1])
        return Interval(torch.fmax(low, below.view_as(low)), torch.fmin(high, above.view_as(high)))

    def _shared_out(self, place: int, found: Tensor) -> tuple[Tensor, ...]:
        return found.split(max(1, self._room // (2 * self._graph.widest[place])))

    def _raised_units(self, place: int, some: Tensor) -> Tensor:
        """Lower bounds of units and of their negatives, [count, 2], for pairs of sample and unit, [count, 2]."""
        node, like = self._graph.nodes[place], self._enclosure.low
        rows = like.new_zeros(len(some), torch.Size(node.shape).numel())
        rows[torch.arange(len(some), device=like.device), some[:, 1]] = 1
        return self._raised(place, rows.view(len(some), 1, *node.shape), some[:, 0])

    def _raised(self, place: int, rows: Tensor, take: Take) -> Tensor:
        """Lower bounds of rows and then of their negatives, [entries of `take`, 2 * rows]."""
        with torch.no_grad():
            ascent = Ascent(self._graph, self._enclosure, lambda at: self._boxes(at, take), take)
            alphas = ascent.alphas(place, rows, self._effort)

        def relaxation(at: int) -> Relaxation:
            if at not in alphas:
                return self.relaxation(at)
            node, boxes = self._graph.nodes[at], self._boxes(at, take)
            if isinstance(node, Elementwise):
                below = self._error(node.inputs[0]) if node.inputs[0] in self._graph.under_curves else None
                return steered_lines(node, boxes[0], alphas[at], None if below is None else below[take], self._count)
            assert isinstance(node, Planar)
            return steered_planes(node, boxes, alphas[at], self._count)

        return Backward(self._graph, self._enclosure, relaxation, self._error, take).least(place, rows)

    def _boxes(self, place: int, take: Take) -> list[Interval]:
        """Boxes of a node's inputs, for entries of `take`."""
        return [Interval(low[take], high[take]) for low, high in self._sources(self._graph.nodes[place])]
