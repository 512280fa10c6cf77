"""CROWN-IBP bounds of a run of layers as one operation of autograd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.crossing import (
    Box,
    Factors,
    Layer,
    RowGradients,
    factors_of,
    gradients_of_layers,
    layers_of,
    rows_of,
)
from sparring_plugins.propagation.enclosure import Enclosure
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.middles import to_ends
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.runs import Run, run_of

__all__ = ["backward_bounds"]

FEW = 4
"""Samples up to which bounds come by the quickest way, and gradients find what they need when they are asked for."""
CACHED = 1 << 18
"""Numbers that the rows of a piece of the batch may have at the widest layer."""


def backward_bounds(graph: Graph, region: Region, spec: Tensor | None, slope: str) -> tuple[Tensor, Tensor] | None:
    """What `Propagation.bounds` gives with intervals inside; None where this has no way of its own."""
    run = run_of(graph, shortened=False)
    if run is None or not torch.is_grad_enabled() or not _suits(run, region, spec):
        return None
    parts = [part for part in (region.center, region.radius, region.low, region.high) if isinstance(part, Tensor)]
    both = torch.stack(region.corners) if any(part.requires_grad for part in parts) else None
    low, high = _Rows.apply(graph, run, region, slope, parts, both, spec, *run.parameters())
    return low, high


def _suits(run: Run, region: Region, spec: Tensor | None) -> bool:
    """Whether a run ends in a layer, whose rows are few enough to be better moved one by one."""
    if region.norm != "inf" or region.center.dim() != 2 or len(run.steps) == 1 or run.steps[-1].curve is not None:
        return False
    count, shared = _count(run, spec), spec is None or spec.dim() == 2
    work = 2 * count * run.widest * region.center.shape[0]
    return serves(region.center, work) and not (shared and count > run.steps[-2].layer.weight().shape[1])


def _count(run: Run, spec: Tensor | None) -> int:
    """How many rows each sample has."""
    return run.steps[-1].layer.shape[0] if spec is None else spec.shape[-2]


class _Piece(NamedTuple):
    """Some of the batch."""

    layers: list[Layer]
    box: Box
    spec: Tensor | None


class _Known:
    """Boxes and lines of a run over a region, and the rows that were made of them."""

    def __init__(
        self, graph: Graph, run: Run, region: Region, spec: Tensor | None, parameters: Sequence[Any], slope: str
    ) -> None:
        self.factors: list[Factors] = factors_of(run, parameters)
        known, nodes = Propagation(graph, region, "ibp", slope), len(graph.nodes)
        self.layers = layers_of(self.factors, *known.inside(), nodes, slope)
        self._box, self._spec = Enclosure(region, nodes).box, spec if spec is None or spec.dim() == 3 else spec[None]
        self.size = max(1, CACHED // (2 * _count(run, spec) * run.widest))
        made = [rows_of(self.factors, *piece) for piece in self.pieces()]
        self.rows = [rows for rows, _ in made]
        self.bounds = torch.cat([bounds for _, bounds in made]) if len(made) > 1 else made[0][1]

    def pieces(self) -> Iterator[_Piece]:
        """Those of the batch, in turn."""
        (center, radius), spec = self._box, self._spec
        for first in range(0, len(center), self.size):
            some = slice(first, first + self.size)
            part = spec if spec is None or len(spec) != len(center) else spec[some]
            yield _Piece([layer.part(some) for layer in self.layers], (center[some], radius[some]), part)


class _Rows(torch.autograd.Function):
    """`backward_bounds` with gradients in corners, specification, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, run: Run, region: Region, slope: str, parts: list[Tensor], both: Tensor | None,
        spec: Tensor | None, *parameters: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.run, ctx.region, ctx.slope, ctx.known = run, region, slope, None
        # The region's own tensors are kept to see that they are the same still.
        ctx.save_for_backward(both, spec, *parameters, *parts)
        if region.center.shape[0] <= FEW:
            return Propagation(graph, region, "ibp", slope).bounds(spec)
        ctx.known = _Known(graph, run, region, spec, parameters, slope)
        low, high = ctx.known.bounds.chunk(2, 1)
        return low, -high

    @staticmethod
    def backward(ctx: Any, to_low: Tensor, to_high: Tensor) -> Any:
        both, spec, *saved = ctx.saved_tensors
        parameters = saved[: 2 * len(ctx.run.steps)]
        if torch.is_grad_enabled():
            inputs, given = (both, spec, *parameters), (to_low, to_high)
            return None, None, None, None, None, *_differentiably(ctx.run, ctx.region, ctx.slope, inputs, given)
        known, ctx.known = ctx.known, None  # as torch lets go of what it kept; who comes again waits for it
        if known is None:
            known = _Known(ctx.run.graph(parameters), ctx.run, ctx.region, spec, parameters, ctx.slope)
        found = _gradients(known, torch.cat([to_low, -to_high], 1), ctx.slope, ctx.needs_input_grad[5:], spec)
        return None, None, None, None, None, *found


def _differentiably(
    run: Run, region: Region, slope: str, inputs: Sequence[Any], given: Sequence[Tensor]
) -> list[Tensor | None]:
    """Gradients that have gradients themselves, by the way of any graph.

    Args:
        run: whose bounds they are of.
        region: over which.
        slope: the choice of it.
        inputs: the region's corners, the specification, and weights and biases.
        given: gradients in both bounds.
    """
    # Aliases: what reaches one input by way of another is not for this operation to count.
    aliases = [None if part is None else part.view_as(part) for part in inputs]
    corners, spec, *parameters = aliases
    where = region if corners is None else Region.box(*corners.unbind())
    bounds = Propagation(run.graph(parameters), where, "ibp", slope).bounds(spec)
    wanted = [part for part in aliases if part is not None and part.requires_grad]
    found = iter(torch.autograd.grad(bounds, wanted, given, create_graph=True, allow_unused=True))
    return [next(found) if part is not None and part.requires_grad else None for part in aliases]


def _gradients(known: _Known, given: Tensor, slope: str, wanted: Sequence[bool], spec: Tensor | None) -> list[Any]:
    """In the corners, the specification, and each weight and bias."""
    rows = RowGradients(known.factors, wanted[0], wanted[1])
    for piece, found, some in zip(known.pieces(), known.rows, given.split(known.size), strict=True):
        rows.add(*piece, found, some)
    to_both = gradients_of_layers(known.factors, known.layers, rows, slope, wanted[0])
    if to_both is not None:
        center, radius = (torch.cat(parts) for parts in zip(*rows.boxes, strict=True))
        to_both.add_(torch.stack(to_ends(center, radius, to_both.dtype)))
    to_spec = None
    if wanted[1] and spec is not None:
        to_spec = torch.cat(rows.specs) if spec.dim() == 3 else torch.cat(rows.specs).sum(0)
    each = (part for pair in zip(rows.weights, rows.biases, strict=True) for part in pair)
    return [to_both, to_spec, *(part if want else None for part, want in zip(each, wanted[2:], strict=True))]
