"""Regions of inputs, and the contract of bound backends."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from sparring.errors import RequestError
from sparring.plugin import Plugin
from sparring.policy import Ability
from sparring.projection import Norm

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["BoundBackend", "Region"]


@dataclass(frozen=True, eq=False)
class Region:
    """A ball around each centre, clipped to an input domain; tensors of torch.

    Raises:
        RequestError: a radius is negative or not a number, or the domain is empty.
    """

    center: Tensor
    """[batch, *features]."""
    radius: Any = 0.0
    """Number or tensor that broadcasts against `center`; for norms "1" and "2" one number a sample."""
    norm: Norm = "inf"
    low: Any = None
    """Least legal input, broadcasts against `center`; None for no limit."""
    high: Any = None
    """Greatest legal input, broadcasts against `center`; None for no limit."""

    def __post_init__(self) -> None:
        import torch

        if self.norm not in ("inf", "2", "1"):
            raise RequestError(f"region: norm {self.norm!r}, choose from: '1', '2', 'inf'")
        radius = torch.as_tensor(self.radius)
        if not bool((radius >= 0).all()) or not bool(torch.isfinite(self.center).all()):
            raise RequestError("region: the radius must be a number from 0 and the centre finite")
        bounded = self.low is not None and self.high is not None
        if bounded and bool((torch.as_tensor(self.low) > torch.as_tensor(self.high)).any()):
            raise RequestError("region: the domain is empty, low lies above high")

    @classmethod
    def box(cls, low: Tensor, high: Tensor) -> Region:
        """Everything between two corners, [batch, *features] each."""
        if low.shape != high.shape or bool((low > high).any()):
            raise RequestError("region: a box needs low and high of one shape, low nowhere above high")
        return cls(center=(low + high) / 2, radius=(high - low) / 2, low=low, high=high)


class BoundBackend(Plugin):
    """Bounds what a network gives anywhere in a region."""

    kind: ClassVar[str] = "bound-backend"
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.MODULE})
    """Abilities of a victim without which it cannot bound anything; those for tree ensembles need others."""

    @abstractmethod
    def bound(self, module: nn.Module, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
        """Lower and upper bound of `spec @ module(x)` over the region.

        Args:
            module: a torch module that maps [batch, *features] to [batch, outputs].
            region: where `x` may lie.
            spec: [batch, rows, outputs] or [rows, outputs]; None for the outputs themselves.

        Returns:
            Two tensors [batch, rows]; every x in the region gives values between them.

        Raises:
            RefusedError: an operation of the module has no rule; names it with its path.
        """
