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
    """A ball around each centre, clipped to an input domain; tensors of torch, float32 or float64.

    The region holds what `clamp(x, low, high)` gives for the points `x` of the ball. For norm "inf" this is the box
    between `corners`. For "1" and "2" backends may bound the ball around `ball_center` cut with that box, which
    holds the region: clipping brings no two points further apart. A centre outside of the domain is legal; the
    region then lies on the domain's faces.

    The tensors are kept, not copied: change none of them as long as the region is in use.

    Raises:
        RequestError: a radius is negative, no finite number, or one a feature where the norm takes one a sample;
            the domain is empty; the centre is not finite or no float; shapes do not fit.
    """

    center: Tensor
    """[batch, *features]."""
    radius: Any = 0.0
    """Number or tensor that broadcasts against `center`; for norms "1" and "2" a number or one a sample, [batch]."""
    norm: Norm = "inf"
    low: Any = None
    """Least legal input, broadcasts against `center`; None for no limit."""
    high: Any = None
    """Greatest legal input, broadcasts against `center`; None for no limit."""

    def __post_init__(self) -> None:
        from sparring._region_checks import check_center, check_domain, usable_radius

        check_center(self.center, self.norm)
        # Beside the fields, which keep what the user gave: the radius as torch takes it.
        self.__dict__["_radius"] = usable_radius(self.radius, self.center, self.norm)
        if self.low is not None or self.high is not None:
            check_domain(self.low, self.high, self.center)

    @classmethod
    def box(cls, low: Tensor, high: Tensor) -> Region:
        """Everything between two corners, [batch, *features] each; `corners` gives the same two tensors back."""
        from sparring._region_checks import check_box

        check_box(low, high)
        middle, reach = low / 2 + high / 2, high / 2 - low / 2
        region = object.__new__(cls)  # all that the constructor would check has been checked
        region.__dict__.update(center=middle, radius=reach, norm="inf", low=low, high=high)
        region.__dict__.update(_radius=reach, _box=(low, high))
        return region

    def part(self, samples: slice) -> Region:
        """The region of some of its samples, which shares their memory."""
        region = object.__new__(Region)  # all that the constructor would check has been checked
        radius, low, high = (self._of(samples, each) for each in (self._radius, self.low, self.high))
        region.__dict__.update(center=self.center[samples], radius=radius, norm=self.norm, low=low, high=high)
        region.__dict__["_radius"] = radius
        box: tuple[Tensor, Tensor] | None = self.__dict__.get("_box")
        if box is not None:
            region.__dict__["_box"] = (box[0][samples], box[1][samples])
        return region

    def _of(self, samples: slice, given: Any) -> Any:
        """What some samples have of a number, None or what broadcasts against the centre."""
        import torch

        if given is None or isinstance(given, float | int):
            return given
        values = torch.as_tensor(given)
        own = values.dim() == self.center.dim() and values.shape[0] == self.center.shape[0]
        return values[samples] if own else values

    @property
    def corners(self) -> tuple[Tensor, Tensor]:
        """Corners (low, high) of the smallest box around the region, [batch, *features] each.

        Differentiable in `center`. They are rounded to nearest, and still no float of the region lies outside: from
        `x <= min(c + r, high)` follows `x = rn(x) <= min(rn(c + r), rn(high))`, as rounding is monotone and keeps
        floats as they are; only the radius itself must not be rounded down.
        """
        box: tuple[Tensor, Tensor] | None = self.__dict__.get("_box")
        if box is not None:
            return box
        state = self._state()
        if state is None:
            return self._corners()
        kept = self.__dict__.get("_kept")
        if kept is None or kept[0] != state:
            kept = self.__dict__["_kept"] = (state, self._corners())
        corners: tuple[Tensor, Tensor] = kept[1]
        return corners

    @property
    def whole_ball(self) -> tuple[Tensor, float | Tensor] | None:
        """Centre and radius of a ball of norm "inf" that no domain clips, which `corners` would only round; else None.

        The radius is a number or broadcasts against the centre. As `corners` are rounded, an input may be further from
        the centre by half a spacing of its own size.
        """
        if self.norm != "inf" or self.low is not None or self.high is not None:
            return None
        return self.center, self._radius

    @property
    def ball_radius(self) -> Tensor:
        """Radius of each sample's ball in the dtype of the centre, [batch]; only for norms "1" and "2".

        A radius with more digits than the dtype has is rounded up.
        """
        import torch

        if self.norm == "inf":
            raise RequestError("region: only balls of norms '1' and '2' have one radius a sample; ask for corners")
        batch, radius = self.center.shape[0], self._radius
        if isinstance(radius, float):
            return torch.full((batch,), radius, dtype=self.center.dtype, device=self.center.device)
        return radius.reshape(-1).expand(batch)

    @property
    def ball_center(self) -> Tensor:
        """Centre of a ball of `ball_radius` that holds the region, for norms "1" and "2": `center` in the domain."""
        if self.norm == "inf":
            raise RequestError("region: a clipped ball of norm 'inf' is a box; ask for corners")
        return self._clamped(self.center)

    @property
    def _radius(self) -> float | Tensor:
        radius: float | Tensor = self.__dict__["_radius"]
        return radius

    def _corners(self) -> tuple[Tensor, Tensor]:
        radius = self._radius
        return self._clamped(self.center - radius), self._clamped(self.center + radius)

    def _clamped(self, points: Tensor) -> Tensor:
        import torch

        for limit, bounded in ((self.low, torch.Tensor.clamp_min), (self.high, torch.Tensor.clamp_max)):
            if limit is not None:
                number = isinstance(limit, float | int)
                points = bounded(points, limit if number else torch.as_tensor(limit).to(points))
        return points

    def _state(self) -> tuple[int, ...] | None:
        """Versions of the tensors, by which corners that are kept are known to be right; None to keep none."""
        import torch

        tensors = [part for part in (self.center, self.radius, self.low, self.high) if isinstance(part, torch.Tensor)]
        if torch.is_inference_mode_enabled() or any(part.requires_grad or part.is_inference() for part in tensors):
            return None
        return tuple(part._version for part in tensors)


class BoundBackend(Plugin):
    """Bounds what a network gives anywhere in a region."""

    kind: ClassVar[str] = "bound-backend"
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.MODULE})
    """Abilities of a victim without which it cannot bound anything; those for tree ensembles need others."""
    repeatable: ClassVar[bool] = True
    """Whether the same call gives the same bounds bit for bit; false where the time at hand decides what is run."""

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
