"""Networks of one linear layer after another with a curve between: those that are trained most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any
from weakref import WeakKeyDictionary

from torch import Tensor

from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.curves import Curve, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Elementwise, Input, Node

__all__ = ["Run", "Step", "run_of"]

CURVES = (ReLU, Tanh, Sigmoid)


@dataclass(frozen=True, eq=False)
class Step:
    """A linear layer of one dimension, and the curve after it."""

    layer: Linear
    curve: Curve | None

    def parameters(self) -> tuple[Tensor, Tensor | None]:
        """Weight and bias as they are now."""
        return self.layer.weight(), self.layer.bias()


@dataclass(frozen=True, eq=False)
class Run:
    """Steps from the input on; all but the last one have a curve."""

    steps: tuple[Step, ...]
    sizes: tuple[tuple[int, int], ...]
    """Of their weights, [outputs, inputs]."""

    @property
    def place(self) -> int:
        """Of the last node in its graph."""
        return sum(1 if step.curve is None else 2 for step in self.steps)

    def parameters(self) -> list[Tensor | None]:
        """Weight and bias of each step, in turn."""
        return [part for step in self.steps for part in step.parameters()]

    def check(self, parameters: Sequence[Tensor | None], center: Tensor, given: Tensor) -> None:
        """Raise where something is not as large as it was, or of another type: `.data` is not watched by torch.

        Args:
            parameters: weight and bias of each step, in turn.
            center: of the region.
            given: a gradient in the bounds, [batch, rows], of the type that all had.

        Raises:
            RuntimeError: as torch does for what was changed between a bound and its gradients.
        """
        dtype, shapes = given.dtype, [shape for size in self.sizes for shape in (size, size[:1])]
        if center.shape != (len(given), self.sizes[0][1]) or center.dtype is not dtype:
            raise RuntimeError("the centre of a region has another shape or type than when it was bounded")
        for part, shape in zip(parameters, shapes, strict=True):
            if part is not None and (part.shape != shape or part.dtype is not dtype):
                raise RuntimeError(f"a parameter was {list(shape)} of {dtype} when it was bounded, and is no more")

    def graph(self, parameters: Sequence[Any]) -> Graph:
        """The run as it was with these weights and biases, which nothing changes any more."""
        nodes: list[Node] = [Input("input", (), (parameters[0].shape[1],))]
        for step, weight, bias in zip(self.steps, parameters[::2], parameters[1::2], strict=True):
            place, shape = len(nodes), (weight.shape[0],)
            fetch = partial(_given, weight), None if bias is None else partial(_given, bias)
            nodes.append(Linear(step.layer.name, (place - 1,), shape, *fetch))
            if step.curve is not None:
                nodes.append(Elementwise(step.layer.name, (place,), shape, step.curve))
        return Graph(nodes)

    @cached_property
    def shortened(self) -> Run:
        """All but the last step."""
        return Run(self.steps[:-1], self.sizes[:-1])

    @cached_property
    def largest(self) -> int:
        """Entries of its largest weight."""
        return max(outputs * inputs for outputs, inputs in self.sizes)

    @cached_property
    def widest(self) -> int:
        """Most units of any layer."""
        return max(map(max, self.sizes))


def _given(value: Tensor) -> Tensor:
    return value


_known: WeakKeyDictionary[Graph, tuple[Run | None, Run | None]] = WeakKeyDictionary()


def run_of(graph: Graph, shortened: bool) -> Run | None:
    """The run that a graph is, or all but its last step; None where that is no run."""
    found = _known.get(graph)
    if found is None:
        run = _run(graph)
        found = _known[graph] = (run, run.shortened if run is not None and len(run.steps) > 1 else None)
    return found[1 if shortened else 0]


def _run(graph: Graph) -> Run | None:
    steps: list[Step] = []
    for place, node in enumerate(graph.nodes[1:]):
        if node.inputs != (place,) or len(node.shape) != 1:
            return None
        last = steps[-1] if steps else None
        if isinstance(node, Linear) and (last is None or last.curve is not None):
            steps.append(Step(node, None))
        elif isinstance(node, Elementwise) and type(node.curve) in CURVES and last is not None and last.curve is None:
            steps[-1] = Step(last.layer, node.curve)
        else:
            return None
    sizes = tuple((step.layer.shape[0], graph.nodes[step.layer.inputs[0]].shape[0]) for step in steps)
    return Run(tuple(steps), sizes) if steps and all(map(all, sizes)) else None  # products begin with a first term
