"""Interval bounds by themselves, both ends of every box in one tensor."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.middles import reach_of
from sparring_plugins.propagation.nodes import Affine, Interval
from sparring_plugins.propagation.rounding import floor, share_of
from sparring_plugins.propagation.specified import over_box

__all__ = ["Boxes", "around_center"]


class Boxes:
    """Boxes of all nodes of a graph over a region of norm "inf"."""

    def __init__(self, graph: Graph, region: Region, keep: bool = True) -> None:
        """Without `keep` each box is let go of when nothing comes after it that takes it: one call of `bounds`."""
        self._graph, self._region, self._keep = graph, region, keep
        self._found: list[Ends | None] = [None]

    def bounds(self, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Bounds of `spec @ output`, or of the outputs, [batch, rows] each."""
        output = self._graph.output
        if spec is None:
            return self.interval(output)
        node = self._graph.nodes[output]
        merged = isinstance(node, Linear) and len(node.shape) == 1
        return over_box(node, self.interval(node.inputs[0] if merged else output), spec)

    def interval(self, place: int) -> Interval:
        """The box of a node, [batch, *shape]."""
        for following in range(len(self._found), place + 1):
            self._found.append(self._next(following))
            if not self._keep:
                self._let_go(following)
        return Interval(*self._ends(place).tight().both.unbind())

    def intervals(self) -> list[Interval]:
        """The boxes of all nodes that were needed so far."""
        return [self.interval(place) for place in range(len(self._found))]

    def _let_go(self, place: int) -> None:
        """Of the boxes that a node was the last to take."""
        for source in self._graph.nodes[place].inputs:
            if self._graph.users[source][-1] == place:
                self._found[source] = None

    def _ends(self, place: int) -> Ends:
        found = self._found[place]
        if found is None:
            found = self._found[place] = Ends(torch.stack(self._region.corners))
        return found

    def _next(self, place: int) -> Ends:
        node = self._graph.nodes[place]
        if node.inputs == (0,) and isinstance(node, Affine):
            found = self._first(node)
            if found is not None:
                return found
        return node.ends(*(self._ends(source) for source in node.inputs))

    def _first(self, node: Affine) -> Ends | None:
        """Of an affine map of a ball that is not clipped: its centre and radius are known."""
        if node.terms == 0:
            return None
        share = share_of(node.fan, self._region.center.dtype, 0.0)
        around = around_center(self._region, share)
        return None if around is None else Ends(node.ends_around([around[0]], [around[1]], share))


def around_center(region: Region, share: float) -> tuple[Tensor, Tensor] | None:
    """Centre and reach (see `ends`) of a ball that is not clipped; None for others, and where they have a gradient."""
    ball = region.whole_ball
    if ball is None or ball[0].requires_grad:
        return None
    center, radius = ball
    if isinstance(radius, float):
        return center, center.abs().add_(radius * (1 + 1 / share) + floor(center.dtype))
    return None if radius.requires_grad else (center, reach_of(center, radius, share))
