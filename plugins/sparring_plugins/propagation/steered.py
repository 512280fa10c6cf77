"""Lines and planes for given alphas, one for each row, moved outward for rounding: what optimised bounds rest on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields

import torch
from torch import Tensor

from sparring_plugins.propagation.backward import Relaxation
from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.nodes import Elementwise, Interval, Planar, Planes, magnitude
from sparring_plugins.propagation.outward import outward, outward_planes

__all__ = ["steered_lines", "steered_planes"]


def steered_lines(node: Elementwise, source: Interval, alpha: Tensor, error: Tensor | None, nodes: int) -> Relaxation:
    """Lines around a curve.

    Args:
        node: the curve.
        source: box of its input, [batch, *shape].
        alpha: [batch, rows, *shape].
        error: as `outward` takes it, [batch, *shape].
        nodes: how many nodes the graph has.
    """
    count = alpha.shape[1]
    inexact = node.curve.error(*source)
    each = Interval(_each(source.low, count), _each(source.high, count))
    lines = outward(
        node.curve.free_lines(*each, alpha.flatten(0, 1).expand(2, -1, *node.shape)),
        each,
        None if error is None else _each(error, count),
        inexact if isinstance(inexact, float) else _each(inexact, count),
        nodes,
    )
    parts = (getattr(lines, field.name) for field in fields(lines))
    return Relaxation(Lines(*(part.unflatten(0, alpha.shape[:2]) for part in parts)), per_row=True)


def steered_planes(node: Planar, sources: Sequence[Interval], alpha: Tensor, nodes: int) -> Relaxation:
    """Mixtures of a node's two choices of planes; arguments as of `steered_lines`."""
    shape, weight = alpha.shape[:2], alpha.flatten(0, 1)
    first, second = node.planes(*sources), node.other_planes(*sources)
    assert second is not None
    each = [Interval(_each(box.low, shape[1]), _each(box.high, shape[1])) for box in sources]
    slack = _each(node.error(*sources) + _mixing(first, second, sources), shape[1])

    def mixed(one: Tensor, other: Tensor) -> Tensor:
        return _each(one, shape[1]).lerp(_each(other, shape[1]), weight)

    planes = outward_planes(
        Planes(
            tuple(map(mixed, first.lower, second.lower)), mixed(first.lower_intercept, second.lower_intercept),
            tuple(map(mixed, first.upper, second.upper)), mixed(first.upper_intercept, second.upper_intercept),
        ),
        each, slack, nodes,
    )  # fmt: skip

    def by_row(part: Tensor) -> Tensor:
        return part.unflatten(0, shape)

    found = Planes(
        tuple(map(by_row, planes.lower)), by_row(planes.lower_intercept),
        tuple(map(by_row, planes.upper)), by_row(planes.upper_intercept),
    )  # fmt: skip
    return Relaxation(found, per_row=True)


def _each(values: Tensor, rows: int) -> Tensor:
    """[batch, *shape] for every row, [batch * rows, *shape]."""
    return values.unsqueeze(1).expand(-1, rows, *values.shape[1:]).flatten(0, 1)


def _mixing(first: Planes, second: Planes, sources: Sequence[Interval]) -> Tensor:
    """What mixing rounds: a few units of the larger of both slopes and intercepts, which may cancel."""
    with torch.no_grad():
        size = torch.zeros_like(first.lower_intercept)
        for part in (first, second):
            for slopes, intercept in ((part.lower, part.lower_intercept), (part.upper, part.upper_intercept)):
                size = size + intercept.abs()
                for slope, box in zip(slopes, sources, strict=True):
                    size = torch.addcmul(size, slope.abs(), magnitude(box))
        return size * (4 * torch.finfo(size.dtype).eps)
