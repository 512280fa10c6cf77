"""Forward mode: linear functions of the input propagated from node to node (thesis, algorithm 3.1 and table 3.4)."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring.errors import RefusedError
from sparring_plugins.propagation.affine import Linear
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

    def forward_bounds(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each, by forward mode alone."""
        found = [_concrete(function, self._enclosure, take)[0] for take, function in self._passes(spec)]
        low, high = zip(*found, strict=True)
        return torch.cat(low), torch.cat(high)

    def _fill(self, until: int) -> None:
        if until >= len(self._intervals):
            self._passes(None)

    def _passes(self, spec: Tensor | None) -> list[tuple[Take, Function]]:
        """Functions of the outputs, or of their rows, of a part of the batch each; fills the intervals."""
        nodes, batch = self._graph.nodes, self._enclosure.low.shape[0]
        features = self._enclosure.low[0].numel()
        each = self._graph.widest[self._graph.output] * features
        if each > MOST:
            raise RefusedError(
                f"bounds: forward mode needs {each * self._enclosure.low.element_size() / 2**30:.0f} GB a sample "
                f"for {features} inputs; choose crown"
            )
        size = max(1, ROOM // each)
        found: list[tuple[Take, Function]] = []
        passes = []
        for first in range(0, batch, size):
            take = slice(first, min(first + size, batch))
            one = _Pass(self._graph, self._enclosure, self._slope, take)
            found.append((take, one.run(_of(spec, take))))
            passes.append(one.intervals)
        self._intervals = [
            Interval(*(torch.cat([intervals[place][end] for intervals in passes]) for end in (0, 1)))
            for place in range(len(nodes))
        ]
        return found


class _Pass:
    """One pass over the nodes for some samples."""

    def __init__(self, graph: Graph, enclosure: Enclosure, slope: str, take: slice) -> None:
        self._graph, self._enclosure, self._slope, self._take = graph, enclosure, slope, take
        self.intervals = [Interval(enclosure.low[take], enclosure.high[take])]
        self._functions: dict[int, Function] = {0: self._identity()}
        self._reach = self._functions[0].size.flatten(1).sum(1)

    def run(self, spec: Tensor | None) -> Function:
        """Functions of the output, or of rows of it, `spec` [batch or 1, rows, outputs]; fills `intervals`."""
        output = self._graph.output
        last = {source: place for place, node in enumerate(self._graph.nodes) for source in node.inputs}
        for place in range(1, len(self._graph.nodes)):
            self._visit(place)
            for source in self._graph.nodes[place].inputs:
                if last[source] == place and place != output:
                    self._functions.pop(source, None)
        function, node = self._functions[output], self._graph.nodes[output]
        if spec is None:
            return function
        rows = _times(function, spec)
        if isinstance(node, Linear) and len(node.shape) == 1 and output not in self._graph.bounded:
            return _merged(node, self._functions[node.inputs[0]], spec, rows)
        return rows

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
            alone = isinstance(node, Affine) and place not in self._graph.under_domains
            interval = found if alone else found.met(interval)
        self._functions[place], self.intervals = function, [*self.intervals, interval]


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


def _of(spec: Tensor | None, take: Take) -> Tensor | None:
    """The rows of some samples, [batch or 1, rows, outputs]."""
    return None if spec is None else spec.unsqueeze(0) if spec.dim() == 2 else spec[take]


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


def _merged(node: Linear, source: Function, spec: Tensor, rows: Function) -> Function:
    """`spec` and the last linear layer as one matrix, so that what two outputs share cancels before it is bounded.

    `rows` are the same functions by way of the outputs'. Their size and error hold here too: no coefficient of `spec W`
    is larger than that of `|spec| |W|`, and the sums have as many terms.
    """
    matrix, bias = (spec @ node.weight()).transpose(1, 2), node.bias()
    absolute = matrix.abs()
    constant = (source.bias.unsqueeze(1) @ matrix).squeeze(1)
    if bias is not None:
        constant = constant + spec @ bias
    spread = None if source.spread is None else source.spread @ absolute
    gap = None if source.gap is None else (source.gap.unsqueeze(1) @ absolute).squeeze(1)
    return Function(source.center @ matrix, spread, constant, gap, rows.size, rows.error)
