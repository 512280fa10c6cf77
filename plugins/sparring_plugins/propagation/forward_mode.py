"""Forward mode: linear functions of the input propagated from node to node (thesis, algorithm 3.1 and table 3.4)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring.errors import RefusedError
from sparring_plugins.propagation.enclosure import Enclosure, Take
from sparring_plugins.propagation.functions import Function, as_planes, through_affine, through_planes
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Affine, Elementwise, Interval, Planar
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.rounded import Rounded
from sparring_plugins.propagation.rounding import gamma

__all__ = ["ForwardMode"]

ROOM = 1 << 22
"""Coefficients of one node that are kept at a time; a larger batch goes in several passes."""
MOST = 1 << 28
"""Coefficients of one node for one sample beyond which forward mode is refused."""


class ForwardMode(Propagation):
    """Inner nodes bounded by forward mode; the output too, or by a backward pass over these relaxations."""

    def __init__(self, graph: Graph, region: Region, slope: str = "adaptive") -> None:
        super().__init__(graph, region, "ibp", slope)
        self._known: list[tuple[Take, Function]] = []

    def forward_bounds(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each, by forward mode alone."""
        self._fill(self._graph.output)
        found = [_specified(function, spec, take, self._enclosure) for take, function in self._known]
        low, high = zip(*found, strict=True)
        return torch.cat(low), torch.cat(high)

    def _fill(self, until: int) -> None:
        if self._known:
            return
        nodes, batch = self._graph.nodes, self._enclosure.low.shape[0]
        features = self._enclosure.low[0].numel()
        each = self._graph.widest[self._graph.output] * features
        if each > MOST:
            raise RefusedError(
                f"bounds: forward mode needs {each * self._enclosure.low.element_size() / 2**30:.0f} GB a sample "
                f"for {features} inputs; choose crown"
            )
        size = max(1, ROOM // each)
        passes = []
        for first in range(0, batch, size):
            take = slice(first, min(first + size, batch))
            one = _Pass(self._graph, self._enclosure, self._slope, take)
            self._known.append((take, one.run()))
            passes.append(one.intervals)
        self._intervals = [
            Interval(*(torch.cat([intervals[place][end] for intervals in passes]) for end in (0, 1)))
            for place in range(len(nodes))
        ]


class _Pass:
    """One pass over the nodes for some samples."""

    def __init__(self, graph: Graph, enclosure: Enclosure, slope: str, take: slice) -> None:
        self._graph, self._enclosure, self._slope, self._take = graph, enclosure, slope, take
        self.intervals = [Interval(enclosure.low[take], enclosure.high[take])]
        self._functions: dict[int, Function] = {0: self._identity()}
        self._reach = self._functions[0].size.flatten(1).sum(1)

    def run(self) -> Function:
        """Functions of the output; fills `intervals`."""
        last = {source: place for place, node in enumerate(self._graph.nodes) for source in node.inputs}
        for place in range(1, len(self._graph.nodes)):
            self._visit(place)
            for source in self._graph.nodes[place].inputs:
                if last[source] == place:
                    self._functions.pop(source, None)
        return self._functions[self._graph.output]

    def _identity(self) -> Function:
        low, high = self.intervals[0]
        shape, count = low.shape[1:], low[0].numel()
        center = torch.eye(count, dtype=low.dtype, device=low.device).view(1, count, *shape)
        size, zero = torch.maximum(high, -low).detach(), low.new_zeros(1, *shape)
        return Function(center, None, zero, None, size, torch.zeros_like(size))

    def _visit(self, place: int) -> None:
        node = self._graph.nodes[place]
        functions = [self._functions[source] for source in node.inputs]
        sources = [self.intervals[source] for source in node.inputs]
        interval = node.interval(*sources)
        if isinstance(node, Affine):
            function = through_affine(node, functions, self._reach)
            if isinstance(node, Rounded):  # what a fused kernel errs is more than the sums of its parts
                function = replace(function, error=function.error + node.reach(*sources))
        elif isinstance(node, Elementwise):
            lines = as_planes(node.curve.lines(*sources[0], self._slope))
            function = through_planes(lines, functions, node.curve.error(*sources[0]))
        else:
            assert isinstance(node, Planar)
            function = through_planes(node.planes(*sources), functions, node.error(*sources))
        if place in self._graph.bounded:
            found, function = _concrete(function, self._enclosure, self._take)
            # Of an affine node the function alone is the method; what else is known of curves, as that a sigmoid lies
            # between 0 and 1, it would lose.
            interval = found if isinstance(node, Affine) else _met(found, interval)
        self._functions[place], self.intervals = function, [*self.intervals, interval]


def _met(first: Interval, second: Interval) -> Interval:
    return Interval(torch.maximum(first.low, second.low), torch.minimum(first.high, second.high))


def _rows(coefficients: Tensor) -> Tensor:
    """[batch, features, *shape] as a row for each unit, [batch, units, features]."""
    return coefficients.flatten(2).transpose(1, 2)


def _concrete(function: Function, enclosure: Enclosure, take: Take) -> tuple[Interval, Function]:
    """Least and greatest values over the region; and the function with its size as it now turns out to be."""
    (below, low), (above, high) = function.ends()
    shape = function.bias.shape[1:]
    with torch.no_grad():
        largest = torch.maximum(enclosure.high, -enclosure.low)[take].flatten(1).unsqueeze(2)
        steep = below.abs() if below is above else torch.maximum(below.abs(), above.abs())
        size = (_rows(steep) @ largest).squeeze(2).view(-1, *shape) + torch.maximum(low.abs(), high.abs())
        error = torch.add(function.error, size, alpha=4 * gamma(0, size.dtype))
    least = enclosure.least(_rows(below), take, False).view(-1, *shape)
    most = -enclosure.least(-_rows(above), take, False).view(-1, *shape)
    found = Interval(least + (low - error), most + (high + error))
    return found, Function(function.center, function.spread, function.bias, function.gap, size, function.error)


def _specified(function: Function, spec: Tensor | None, take: Take, enclosure: Enclosure) -> tuple[Tensor, Tensor]:
    """Bounds of the outputs, or of rows of them."""
    if spec is not None:
        function = _times(function, spec.unsqueeze(0) if spec.dim() == 2 else spec[take])
    return _concrete(function, enclosure, take)[0]


def _times(function: Function, spec: Tensor) -> Function:
    """`spec` [batch or 1, rows, outputs] times the functions of [outputs]."""
    turned, count = spec.transpose(1, 2), spec.shape[-1]
    absolute = turned.abs()

    def of(values: Tensor | None, matrix: Tensor) -> Tensor | None:
        return None if values is None else (values.unsqueeze(1) @ matrix).squeeze(1)

    size, error = (of(part, absolute.detach()) for part in (function.size, function.error))
    bias = of(function.bias, turned)
    assert size is not None
    assert error is not None
    assert bias is not None
    error = torch.add(error, size + error, alpha=6 * gamma(count, size.dtype)) + torch.finfo(size.dtype).tiny * count
    spread = None if function.spread is None else function.spread @ absolute
    return Function(function.center @ turned, spread, bias, of(function.gap, absolute), size, error)
