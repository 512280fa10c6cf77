"""Linear functions of the network's input around each unit, and how they pass through nodes (forward mode).

A unit lies between `(center - spread) x + bias - gap` and `(center + spread) x + bias + gap`. Through a matrix `W` such
a pair goes as `W center -+ |W| spread`, whatever the signs in `spread`; through a line of slope `s` as
`s center -+ |s| spread`: where a slope is negative the lower line takes the upper function, and the reverse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.curves import Lines
from sparring_plugins.propagation.nodes import Affine, Planes
from sparring_plugins.propagation.rounding import gamma, tiny_of

__all__ = ["Function", "through_affine", "through_planes"]


@dataclass(frozen=True, eq=False)
class Function:
    """`(center -+ spread) x + bias -+ gap`, and what rounding adds; the batch may be 1 for all samples alike."""

    center: Tensor
    """[batch, features, *shape]."""
    spread: Tensor | None
    """[batch, features, *shape]; None where both functions are one."""
    bias: Tensor
    """[batch, *shape]."""
    gap: Tensor | None
    """[batch, *shape]; None like `spread`."""
    size: Tensor
    """No less than `max |center -+ spread| |x| + |bias -+ gap|` in the region, [batch, *shape]; no gradient."""
    error: Tensor
    """How far the victim's value may lie outside for rounding, [batch, *shape]; no gradient."""

    def ends(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor, Tensor]]:
        """Coefficients and constant of the lower and of the upper function."""
        if self.spread is None or self.gap is None:
            return (self.center, self.bias), (self.center, self.bias)
        return (self.center - self.spread, self.bias - self.gap), (self.center + self.spread, self.bias + self.gap)


def through_affine(node: Affine, inputs: Sequence[Function], reach: Tensor) -> Function:
    """The functions of an affine node's output; `reach` is the largest l1 norm of an input, [batch]."""
    centers, biases = zip(*((x.center, x.bias) for x in inputs), strict=True)
    center = _many(_linear, node, centers)
    bias = node.value(*_alike(biases))
    spread = gap = None
    if any(x.spread is not None for x in inputs):
        wide = [torch.zeros_like(x.center) if x.spread is None else x.spread for x in inputs]
        apart = [torch.zeros_like(x.bias) if x.gap is None else x.gap for x in inputs]
        spread, gap = _many(_absolute, node, wide), node.spread(*_alike(apart))
    with torch.no_grad():
        size, error = (node.spread(*_alike(parts)) for parts in zip(*((x.size, x.error) for x in inputs), strict=True))
        bulk = node.bulk()
        if bulk is not None:
            size = size + bulk
        if bulk is not None and not isinstance(node, Linear):
            # Of every feature's coefficients the bias is taken away again, which leaves an error of its size.
            error = error + (reach * torch.finfo(reach.dtype).eps).view(-1, *[1] * len(node.shape)) * bulk
        if node.terms:
            # The victim's sum, and those of center and spread.
            count = node.terms + node.parts
            share, tiny = 6 * gamma(count, size.dtype), tiny_of(count, size) * center.shape[1]
            error = torch.add(error + tiny, size + error, alpha=share)
    return Function(center, spread, bias, gap, size, error)


def through_planes(planes: Planes, inputs: Sequence[Function], inexact: Tensor | float) -> Function:
    """The functions of a node between two planes, or of a curve between two lines."""
    center = spread = inputs[0].center.new_zeros(())
    bias, gap = (
        (planes.upper_intercept + planes.lower_intercept) / 2,
        (planes.upper_intercept - planes.lower_intercept) / 2,
    )
    size = torch.maximum(planes.lower_intercept.abs(), planes.upper_intercept.abs()).detach()
    error = torch.zeros_like(size)
    for low, high, x in zip(planes.lower, planes.upper, inputs, strict=True):
        middle, half = (high + low) / 2, (high - low) / 2
        center, spread = center + middle.unsqueeze(1) * x.center, spread + half.unsqueeze(1) * x.center
        bias, gap = bias + middle * x.bias, gap + half * x.bias
        if x.spread is not None and x.gap is not None:
            across, along = (high.abs() - low.abs()) / 2, (high.abs() + low.abs()) / 2
            center = torch.addcmul(center, across.unsqueeze(1), x.spread)
            spread = torch.addcmul(spread, along.unsqueeze(1), x.spread)
            bias, gap = torch.addcmul(bias, across, x.gap), torch.addcmul(gap, along, x.gap)
        steep = torch.maximum(low.abs(), high.abs()).detach()
        size, error = torch.addcmul(size, steep, x.size), torch.addcmul(error, steep, x.error)
    share, tiny = 4 * gamma(len(inputs), size.dtype), tiny_of(len(inputs), size) * center.shape[1]
    error = torch.add(error + tiny + (inexact if isinstance(inexact, float) else inexact.detach()), size, alpha=share)
    return Function(center, spread, bias, gap, size, error)


def as_planes(lines: Lines) -> Planes:
    """Lines as planes over one input."""
    return Planes((lines.lower_slope,), lines.lower_intercept, (lines.upper_slope,), lines.upper_intercept)


def _alike(parts: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of one batch, where some stand for all samples."""
    batch = max(part.shape[0] for part in parts)
    return [part.expand(batch, *part.shape[1:]) for part in parts]


def _many(act: object, node: Affine, parts: Sequence[Tensor]) -> Tensor:
    """A linear map on every feature's coefficients, [batch, features, *shape]."""
    same = _alike(parts)
    moved: Tensor = act(node, *(part.flatten(0, 1) for part in same))  # type: ignore[operator]
    return moved.view(*same[0].shape[:2], *moved.shape[1:])


def _linear(node: Affine, *values: Tensor) -> Tensor:
    """The affine map without its constant."""
    if isinstance(node, Linear):
        return torch.nn.functional.linear(values[0], node.weight())
    bias = node.bias()
    return node.value(*values) if bias is None else node.value(*values) - bias


def _absolute(node: Affine, *values: Tensor) -> Tensor:
    return node.spread(*values)
