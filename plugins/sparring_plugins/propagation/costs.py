"""What a backward pass from every node will cost, from what intervals tell."""

from __future__ import annotations

import math

from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Affine
from sparring_plugins.propagation.propagation import Propagation

__all__ = ["Measured"]


class Measured(Propagation):
    """Interval bounds that can say how much work CROWN would be; ask after `box` or `bounds`."""

    def work_inside(self) -> float:
        """Multiplications of backward passes from all inner units whose range a relaxation needs."""
        return sum(self._rows_of(place) * self._cost(place) for place in self._tightened_places())

    def passes(self) -> int:
        """How many nodes start a backward pass, the output among them."""
        return 1 + len(self._tightened_places())

    def _tightened_places(self) -> list[int]:
        graph = self._graph
        return [
            place
            for place in sorted(graph.bounded)
            if isinstance(graph.nodes[place], Affine) and graph.nodes[place].inputs != (0,)
        ]

    def _rows_of(self, place: int) -> int:
        """Rows and their negatives, for all samples: only unstable units where only ReLU comes after."""
        low, high = self._intervals[place]
        if all(self._kinked(user) for user in self._graph.users[place]):
            return 2 * int(((low < 0) & (high > 0)).sum())
        return 2 * low.numel()

    def _cost(self, place: int) -> float:
        """Multiplications of one row on its way to the input."""
        whole = _cost_below(self._graph, place)
        window = self._window(place)
        return whole if window is None else whole * window / self._graph.widest[place]


def _cost_below(graph: Graph, place: int) -> float:
    nodes = (graph.nodes[source] for source in graph.ancestors[place])
    return float(sum(math.prod(node.shape) * max(1, node.terms) for node in nodes if isinstance(node, Affine)))
