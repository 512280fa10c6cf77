"""Interval bound propagation of a module, by whichever way is quickest."""

from __future__ import annotations

from torch import Tensor, nn

from sparring.bounds import Region
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kept_graphs import graph_of
from sparring_plugins.propagation.pieces import in_pieces
from sparring_plugins.propagation.programs import bounds
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.runs import run_of
from sparring_plugins.propagation.trained_boxes import interval_bounds

__all__ = ["boxed", "propagated"]


def propagated(module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
    """Bounds of `spec @ module(x)`, or of the outputs, [batch, rows] each."""
    graph = graph_of(module, region.center)
    return in_pieces(graph, region, spec, lambda some, rows: boxed(graph, some, rows))


def boxed(graph: Graph, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
    """The same for a graph, all samples at once."""
    if region.norm != "inf":
        return Propagation(graph, region, "ibp").box(spec)
    found = None
    if spec is None and run_of(graph, shortened=False) is None:  # a few calls of torch are as quick for a run
        found = bounds(graph, region, None, "boxes", "adaptive")
    return interval_bounds(graph, region, spec) if found is None else found
