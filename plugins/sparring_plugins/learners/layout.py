"""All weights in one flat vector, so that copying, clipping and Adam are a few operations however many layers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Layout", "Parameters"]


@dataclass(frozen=True)
class Layout:
    """Names and shapes of tensors that lie one after another."""

    shapes: Mapping[str, tuple[int, ...]]

    @property
    def size(self) -> int:
        """Numbers in all of them."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    def views(self, flat: Tensor) -> dict[str, Tensor]:
        """The tensors, as views of a flat vector [size]."""
        parts = flat.split([math.prod(shape) for shape in self.shapes.values()])
        return {name: part.view(shape) for (name, shape), part in zip(self.shapes.items(), parts, strict=True)}


class Parameters:
    """A working copy of weights, and room for their gradient."""

    def __init__(self, layout: Layout, flat: Tensor) -> None:
        """Copy the weights [size]."""
        self.layout = layout
        self.flat, self.gradient = flat.clone(), torch.zeros_like(flat)
        self.at, self.gradient_at = layout.views(self.flat), layout.views(self.gradient)
