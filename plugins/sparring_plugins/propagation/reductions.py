"""Sums over dimensions, means, and what is left of values when their mean is taken away."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from sparring_plugins.propagation.nodes import Affine

__all__ = ["AveragePool", "Centred", "Reduced"]


class Reduced(Affine):
    """`factor` times the sum over some dimensions, which count the batch as 0."""

    rises = True

    def __init__(
        self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...], dims: tuple[int, ...],
        keep: bool, mean: bool,
    ) -> None:  # fmt: skip
        super().__init__(name, (source,), shape)
        self._entry, self._dims, self._keep, self._mean = entry, dims, keep, mean
        self.terms = self._count = math.prod(entry[dim - 1] for dim in dims)
        self._flat = tuple(1 if place + 1 in dims else size for place, size in enumerate(entry))

    @property
    def divisor(self) -> int:
        """What the sum is divided by."""
        return self._count if self._mean else 1

    def value(self, *inputs: Tensor) -> Tensor:
        """The sum or mean."""
        return inputs[0].mean(self._dims, self._keep) if self._mean else inputs[0].sum(self._dims, self._keep)

    def spread(self, *radii: Tensor) -> Tensor:
        """The sum or mean of the radii."""
        return self.value(*radii)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The same share for each."""
        share = rows / self._count if self._mean else rows
        return (share.reshape(-1, *self._flat).expand(-1, *self._entry),)


class Centred(Affine):
    """`x - mean(x)` over the last dimension."""

    def __init__(self, name: str, source: int, shape: tuple[int, ...]) -> None:
        super().__init__(name, (source,), shape)
        self.terms = self._count = shape[-1]

    @property
    def divisor(self) -> int:
        """Elements of a mean."""
        return self._count

    def value(self, *inputs: Tensor) -> Tensor:
        """The distance from the mean."""
        return inputs[0] - inputs[0].mean(-1, keepdim=True)

    def spread(self, *radii: Tensor) -> Tensor:
        """`(1 - 1/n) r_i` and `r_j / n` of each other one."""
        return torch.add(radii[0].mean(-1, keepdim=True), radii[0], alpha=1.0 - 2.0 / self._count)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The matrix is symmetric."""
        return (self.value(rows),)


class AveragePool(Affine):
    """Means over windows, of one or two dimensions behind the channels."""

    rises = True

    def __init__(
        self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...], kernel: tuple[int, ...],
        stride: tuple[int, ...], padding: tuple[int, ...], ceil: bool, padded: bool, divisor: int | None,
    ) -> None:  # fmt: skip
        """`ceil`, `padded` and `divisor` as torch's `ceil_mode`, `count_include_pad` and `divisor_override`."""
        super().__init__(name, (source,), shape)
        self._entry, self._line = entry, len(kernel) == 1
        # One dimension is two, of which the first has width 1.
        sides = [[1, *kernel], [1, *stride], [0, *padding]] if self._line else [[*kernel], [*stride], [*padding]]
        self._how = [*sides, ceil, padded, divisor]
        self.terms = math.prod(kernel)

    def value(self, *inputs: Tensor) -> Tensor:
        """The means."""
        x = inputs[0].unsqueeze(2) if self._line else inputs[0]
        pooled: Tensor = torch.ops.aten.avg_pool2d(x, *self._how)
        return pooled.squeeze(2) if self._line else pooled

    def spread(self, *radii: Tensor) -> Tensor:
        """The means of the radii."""
        return self.value(*radii)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Each window's share back to all that it covers."""
        rows = rows.unsqueeze(2) if self._line else rows
        channels, *space = self._entry
        like = rows.new_empty(1).expand(rows.shape[0], channels, *([1] if self._line else []), *space)
        back: Tensor = torch.ops.aten.avg_pool2d_backward(rows.contiguous(), like, *self._how)
        return (back.squeeze(2) if self._line else back,)
