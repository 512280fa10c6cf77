"""CROWN-IBP bounds of a run of layers as one operation of autograd."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring.errors import RefusedError
from sparring_plugins.propagation.crossing import Box, Layer, RowGradients, gradients_of_layers, layers_of, rows_of
from sparring_plugins.propagation.enclosure import Enclosure
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.middles import to_ends
from sparring_plugins.propagation.passing import Factors, factors_of
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.runs import Run, run_of

__all__ = ["backward_bounds"]

FEW = 4
"""Samples up to which bounds come by the quickest way, and gradients find what they need when they are asked for."""
CACHED = 1 << 18
"""Numbers that the rows of a piece of the batch may have at the widest layer."""


def backward_bounds(graph: Graph, region: Region, slope: str) -> tuple[Tensor, Tensor] | None:
    """What `Propagation.bounds` gives of the outputs with intervals inside; None where this has no way of its own."""
    run = run_of(graph, shortened=False)
    if run is None or not _suits(run, region) or not torch.is_grad_enabled():
        return None
    parts = [part for part in (region.center, region.radius, region.low, region.high) if isinstance(part, Tensor)]
    both = torch.stack(region.corners) if any(part.requires_grad for part in parts) else None
    low, high = _Rows.apply(graph, run, region, slope, parts, both, *run.parameters())
    return low, high


def _suits(run: Run, region: Region) -> bool:
    """Whether a run ends in a layer, whose rows are few enough to be better moved one by one."""
    return (
        region.norm == "inf" and region.center.dim() == 2 and len(run.steps) > 1 and run.steps[-1].curve is None
        and run.steps[-1].layer.shape[0] <= run.steps[-2].layer.weight().shape[1]
        and serves(region.center, 2 * run.steps[-1].layer.shape[0] * run.widest * region.center.shape[0])
    )  # fmt: skip


def _pieces(run: Run, batch: int) -> Iterator[slice]:
    size = max(1, CACHED // (2 * run.steps[-1].layer.shape[0] * run.widest))
    return (slice(first, first + size) for first in range(0, batch, size))


def _of(samples: slice, layers: Sequence[Layer], box: Box) -> tuple[list[Layer], Box]:
    return [layer.part(samples) for layer in layers], (box[0][samples], box[1][samples])


class _Known:
    """Boxes and lines of a run over a region, and the rows that were made of them."""

    def __init__(self, run: Run, region: Region, both: Tensor | None, parameters: Sequence[Any], slope: str) -> None:
        nodes = run.place + 1
        self.factors: list[Factors] = factors_of(run, parameters)
        corners = torch.stack(region.corners) if both is None else both
        self.layers = layers_of(self.factors, corners, nodes, slope)
        self.box = Enclosure(region, nodes).box
        self.rows: list[list[Tensor]] = []
        found = list[Tensor]()
        for samples in _pieces(run, corners.shape[1]):
            rows, bounds = rows_of(self.factors, *_of(samples, self.layers, self.box))
            self.rows.append(rows)
            found.append(bounds)
        self.bounds = torch.cat(found) if len(found) > 1 else found[0]


class _Rows(torch.autograd.Function):
    """`backward_bounds` with gradients in corners, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, run: Run, region: Region, slope: str, parts: list[Tensor], both: Tensor | None,
        *parameters: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.run, ctx.region, ctx.slope, ctx.known = run, region, slope, None
        # The region's own tensors are kept to see that they are the same still.
        ctx.save_for_backward(both, *parameters, *parts)
        if region.center.shape[0] <= FEW:
            return Propagation(graph, region, "ibp", slope).bounds(None)
        ctx.known = _Known(run, region, both, parameters, slope)
        low, high = ctx.known.bounds.chunk(2, 1)
        return low, -high

    @staticmethod
    def backward(ctx: Any, to_low: Tensor, to_high: Tensor) -> Any:
        both, *saved = ctx.saved_tensors
        with torch.no_grad():
            known = ctx.known or _Known(ctx.run, ctx.region, both, saved[: 2 * len(ctx.run.steps)], ctx.slope)
            ctx.known = None  # as torch lets go of what it kept; who comes again waits for it
            found = _gradients(ctx, known, torch.cat([to_low, -to_high], 1))
        if torch.is_grad_enabled():
            anchor = next(part for part in (both, *saved) if part is not None and part.requires_grad)
            found = [None if part is None else _Last.apply(part, anchor) for part in found]
        return None, None, None, None, None, *found


def _gradients(ctx: Any, known: _Known, given: Tensor) -> list[Any]:
    """In the corners, and in each weight and bias."""
    wanted = ctx.needs_input_grad[5:]
    rows = RowGradients(known.factors, wanted[0])
    for samples, found in zip(_pieces(ctx.run, len(given)), known.rows, strict=True):
        rows.add(*_of(samples, known.layers, known.box), found=found, given=given[samples])
    to_both = gradients_of_layers(known.factors, known.layers, rows, ctx.slope, wanted[0])
    if to_both is not None:
        center, radius = (torch.cat(parts) for parts in zip(*rows.boxes, strict=True))
        to_both.add_(torch.stack(to_ends(center, radius, to_both.dtype)))
    each = (part for pair in zip(rows.weights, rows.biases, strict=True) for part in pair)
    return [to_both, *(part if want else None for part, want in zip(each, wanted[1:], strict=True))]


class _Last(torch.autograd.Function):
    """A gradient that has none itself."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, anchor: Tensor) -> Tensor:
        return gradient.view_as(gradient)

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> Any:
        raise RefusedError("bounds: gradients under crown-ibp have no gradients themselves; ibp's have")
