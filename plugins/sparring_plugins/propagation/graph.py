"""A network as a list of nodes in the order in which they act."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from sparring_plugins.propagation.moves import is_move
from sparring_plugins.propagation.nodes import Affine, Elementwise, Node

__all__ = ["Graph"]


@dataclass(frozen=True, eq=False)
class Graph:
    """Node 0 is the input, the last one the output; a node's inputs come before it."""

    nodes: Sequence[Node]

    def __post_init__(self) -> None:
        for node in self.nodes:
            node.parts = len(self.nodes)

    @property
    def output(self) -> int:
        """Place of the output."""
        return len(self.nodes) - 1

    def value(self, inputs: Tensor) -> Tensor:
        """What the network gives for inputs [batch, *features]."""
        found = [inputs]
        for node in self.nodes[1:]:
            found.append(node.value(*(found[place] for place in node.inputs)))
        return found[-1]

    @cached_property
    def users(self) -> tuple[tuple[int, ...], ...]:
        """Which nodes take each node as an input."""
        return tuple(
            tuple(user for user, node in enumerate(self.nodes) if place in node.inputs)
            for place in range(len(self.nodes))
        )

    @cached_property
    def bounded(self) -> frozenset[int]:
        """Nodes whose range a relaxation needs: the inputs of all that is not affine, or what was moved there."""
        wanted = [place for node in self.nodes[1:] if not isinstance(node, Affine) for place in node.inputs]
        found: set[int] = set()
        while wanted:
            place = wanted.pop()
            if is_move(self.nodes[place]):
                wanted += self.nodes[place].inputs
            else:
                found.add(place)
        return frozenset(found)

    @cached_property
    def under_domains(self) -> frozenset[int]:
        """Those of them that a curve takes which is not defined everywhere."""
        found: set[int] = set()
        for node in self.nodes:
            if isinstance(node, Elementwise) and node.curve.partial:
                place = node.inputs[0]
                while is_move(self.nodes[place]) and len(self.nodes[place].inputs) == 1:
                    place = self.nodes[place].inputs[0]
                found.add(place)
        return frozenset(found)

    @cached_property
    def under_curves(self) -> frozenset[int]:
        """Affine nodes that only curves take as an input."""
        return frozenset(
            place
            for place, node in enumerate(self.nodes)
            if isinstance(node, Affine)
            and self.users[place]
            and all(isinstance(self.nodes[user], Elementwise) for user in self.users[place])
        )

    @cached_property
    def affine_in_input(self) -> tuple[bool, ...]:
        """Whether each node is an affine function of the network's input."""
        found = [True]
        for node in self.nodes[1:]:
            found.append(isinstance(node, Affine) and all(found[place] for place in node.inputs))
        return tuple(found)

    @cached_property
    def ancestors(self) -> tuple[frozenset[int], ...]:
        """For each node, itself and all that it depends on."""
        found: list[frozenset[int]] = []
        for place, node in enumerate(self.nodes):
            found.append(frozenset({place}).union(*(found[source] for source in node.inputs)))
        return tuple(found)

    @cached_property
    def widest(self) -> tuple[int, ...]:
        """Most elements of any node that a backward pass from each place meets."""
        sizes = [math.prod(node.shape) for node in self.nodes]
        return tuple(max(sizes[source] for source in sources) for sources in self.ancestors)
