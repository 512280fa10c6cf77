"""Specifications over boxes: how interval propagation ends."""

from __future__ import annotations

import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.nodes import Interval, Node, magnitude
from sparring_plugins.propagation.rounding import gamma, tiny_of

__all__ = ["over_box"]


def over_box(node: Node, source: Interval, spec: Tensor) -> tuple[Tensor, Tensor]:
    """Bounds [batch, rows] of `spec` times the node's output, its input lying in a box.

    A linear layer is merged with the specification before the box is looked at, as Gowal et al. 2018 do (section 3);
    of other operations the specification sees the output's box.

    Args:
        node: the last one of a network, with outputs [batch, outputs].
        source: box of its only input where it is a linear layer, else of its output.
        spec: [batch, rows, outputs] or [rows, outputs].
    """
    rows, shift, slack = spec, None, None
    if isinstance(node, Linear) and len(node.shape) == 1:
        bias, error = node.bias(), node.error(source)
        rows = spec @ node.weight()
        shift = None if bias is None else spec @ bias
        slack = None if error is None else _times(spec.abs(), error)
    share = 2 * gamma(rows.shape[-1], rows.dtype)
    center, size = torch.lerp(*source, 0.5), magnitude(source)
    radius = torch.add(source.high - center, size, alpha=share) + tiny_of(rows.shape[-1], size)
    middle, width = _times(rows, center), _times(rows.abs(), radius)
    if shift is not None:
        middle = middle + shift
    return (middle - width, middle + width) if slack is None else (middle - (width + slack), middle + (width + slack))


def _times(rows: Tensor, values: Tensor) -> Tensor:
    """`rows v` for rows [batch, rows, n] or [rows, n] and values [batch, n], [batch, rows]."""
    return values @ rows.T if rows.dim() == 2 else torch.bmm(rows, values.unsqueeze(2)).squeeze(2)
