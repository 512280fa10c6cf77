"""Large batches in pieces, so that what is passed from node to node stays in a processor's cache."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.graph import Graph

__all__ = ["in_pieces"]

CACHED = 1 << 20
"""Numbers that a piece may have at its widest node; more are fetched from memory, and memory from the system."""

Bounds = tuple[Tensor, Tensor]


def in_pieces(
    graph: Graph, region: Region, spec: Tensor | None, bound: Callable[[Region, Tensor | None], Bounds]
) -> Bounds:
    """What `bound` gives for a region and a specification, [batch, rows] each, a piece of the batch at a time.

    Not on other devices, nor under differentiation, which keeps what all pieces pass on.
    """
    batch, size = region.center.shape[0], max(1, CACHED // (2 * graph.widest[graph.output]))
    if batch <= size or torch.is_grad_enabled() or not region.center.is_cpu:
        return bound(region, spec)
    found = []
    for first in range(0, batch, size):
        some = slice(first, first + size)
        found.append(bound(region.part(some), spec if spec is None or spec.dim() == 2 else spec[some]))
    low, high = zip(*found, strict=True)
    return torch.cat(low), torch.cat(high)
