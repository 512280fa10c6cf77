"""Least values of linear functions over a region: where a backward pass ends (thesis, section 3.2.3)."""

from __future__ import annotations

from functools import cached_property

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.middles import middles
from sparring_plugins.propagation.rounding import gamma, tiny, tiny_of

__all__ = ["Enclosure", "Take"]

WIDE = 256
"""Features beyond which sums over the input are taken in double precision."""

Take = Tensor | slice
"""Which samples of the region's batch the entries of a batch of rows belong to."""


class Enclosure:
    """A region, prepared for many linear functions: a box, and a ball of norm 1 or 2 where there is one."""

    def __init__(self, region: Region, nodes: int) -> None:
        """`nodes` counts the shares of a bound that are added up."""
        self.low, self.high = region.corners
        self._region, self._norm = region, region.norm
        self.terms = self.low.shape[1:].numel() + nodes

    @cached_property
    def box(self) -> tuple[Tensor, Tensor]:
        """Centre and radius, [batch, features]; the rounding of `rows c + |rows| r` is bounded by more radius.

        In double precision where a region of single precision is wide: a sum over thousands of pixels of `rows c`
        would else round by more than an image's small radius is worth.
        """
        low, high = self.low.flatten(1), self.high.flatten(1)
        dtype = torch.float64 if low.shape[1] > WIDE else low.dtype
        error = 2 * gamma(self.terms, dtype)
        return middles(low, high, error, tiny(self.terms, dtype), dtype, sized=False)

    def least_in_box(self, rows: Tensor, center: Tensor, radius: Tensor, mirrored: bool) -> Tensor:
        """Least values of `rows x` in boxes: rows [batch or 1, rows, n], centre and radius [batch, n] as in `box`."""
        if rows.dtype == center.dtype:
            return _both_least(_product(rows, center), _product(rows.abs(), radius), mirrored)
        exact = rows.to(center.dtype)
        found = _both_least(_product(exact, center), _product(exact.abs(), radius), mirrored).to(rows.dtype)
        return found - (found.detach().abs() * torch.finfo(rows.dtype).eps + tiny_of(0, rows))

    @cached_property
    def _ball(self) -> tuple[Tensor, Tensor, Tensor]:
        """Centre [batch, features], radius [batch, 1] and what rounding adds for each unit of a row."""
        center, radius = self._region.ball_center.flatten(1), self._region.ball_radius[:, None]
        return center, radius, (center.abs() + radius).detach() * (2 * gamma(self.terms, center.dtype))

    @property
    def is_box(self) -> bool:
        """Whether the region is no ball of norm 1 or 2."""
        return self._norm == "inf"

    def least(self, rows: Tensor, take: Take | None, mirrored: bool) -> Tensor:
        """Lower bounds of `rows x` over the region.

        Args:
            rows: [batch or 1, rows, features].
            take: the sample of each of the rows' batch, or None where it is the region's batch.
            mirrored: rows stand for themselves and for their negatives.

        Returns:
            [batch, rows], twice as many rows where mirrored.
        """
        center, radius = (_taken(part, take) for part in self.box)
        found = self.least_in_box(rows, center, radius, mirrored)
        if self._norm == "inf":
            return found
        return torch.maximum(found, self._ball_least(rows, take, mirrored))

    def lowest(self, rows: Tensor, take: Take | None) -> Tensor:
        """Where `least` is attained, but for rounding: a point for each row, [batch, rows, features]."""
        center, radius = (_taken(part, take).unsqueeze(1).to(rows.dtype) for part in self.box)
        point = center - radius * rows.sign()
        if self._norm == "inf":
            return point
        middle, reach, _ = (_taken(part, take).unsqueeze(1) for part in self._ball)
        if self._norm == "2":
            way = rows / torch.linalg.vector_norm(rows, 2, -1, keepdim=True).clamp(min=torch.finfo(rows.dtype).tiny)
        else:
            largest = rows.abs().argmax(-1, keepdim=True)
            way = torch.zeros_like(rows).scatter(-1, largest, rows.gather(-1, largest).sign())
        other = middle - reach * way
        boxed = (rows * point).sum(-1, keepdim=True) >= (rows * other).sum(-1, keepdim=True)
        return torch.where(boxed, point, other)

    def _ball_least(self, rows: Tensor, take: Take | None, mirrored: bool) -> Tensor:
        center, radius, slack = (_taken(part, take) for part in self._ball)
        dual = rows.abs().amax(-1) if self._norm == "1" else torch.linalg.vector_norm(rows, 2, -1)
        width = dual * radius * (1 + 2 * gamma(self.terms, rows.dtype)) + _product(rows.abs(), slack)
        return _both_least(_product(rows, center), width, mirrored)


def _both_least(middle: Tensor, width: Tensor, mirrored: bool) -> Tensor:
    return torch.cat([middle - width, -middle - width], 1) if mirrored else middle - width


def _taken(values: Tensor, take: Take | None) -> Tensor:
    return values if take is None else values[take]


def _product(rows: Tensor, values: Tensor) -> Tensor:
    """`rows v` for rows [batch or 1, rows, n] and values [batch, n], [batch, rows]."""
    if rows.shape[0] == 1:
        return values @ rows[0].T
    return torch.bmm(rows, values.unsqueeze(2)).squeeze(2)
