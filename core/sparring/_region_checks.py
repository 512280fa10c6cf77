"""What users hand over for a region, checked: centre, radius and domain; a sound request costs microseconds."""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from sparring.errors import MissingError, RequestError
from sparring.projection import Norm

try:
    import torch
except ImportError as error:
    raise MissingError(f"regions and bounds need torch ({error}): pip install 'sparring[torch]'") from None

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["check_box", "check_center", "check_domain", "usable_radius"]

LARGEST = {torch.float32: float(np.finfo(np.float32).max), torch.float64: float(np.finfo(np.float64).max)}
"""The dtypes of regions, each with its largest number."""


def check_center(center: Tensor, norm: Norm, called: str = "the centre") -> None:
    """Raise unless the centre is a batch of finite floats and the norm a known one."""
    if norm not in ("inf", "2", "1"):
        raise RequestError(f"region: norm {norm!r}, choose from: '1', '2', 'inf'")
    if not isinstance(center, torch.Tensor) or center.dtype not in LARGEST:
        given = str(center.dtype) if isinstance(center, torch.Tensor) else type(center).__name__
        raise RequestError(f"region: {called} is {given}, expected a tensor of float32 or float64")
    if center.dim() < 2:
        shape = list(center.shape)
        raise RequestError(
            f"region: {called} has shape {shape}, expected [batch, *features]; unsqueeze(0) makes a batch of one"
        )
    if center.is_meta:
        raise RequestError(f"region: {called} is on the device 'meta' and has no values")
    if center.is_neg():  # its memory holds the negatives, which is all that compiled loops see
        raise RequestError(f"region: {called} is a negative view; give it values by .resolve_neg()")
    # Inf and NaN always show in the sum; only a sum that overflowed needs the slower look at every number.
    if not math.isfinite(center.sum().item()) and not bool(torch.isfinite(center).all()):
        raise RequestError(f"region: {called} holds NaN or infinity")


def usable_radius(radius: Any, center: Tensor, norm: Norm) -> float | Tensor:
    """The radius in the centre's dtype, never rounded down; a tensor is shaped to broadcast against the centre."""
    if isinstance(radius, float | int):
        if not 0 <= radius <= LARGEST[center.dtype]:
            raise RequestError(f"region: radius {radius}, expected a finite number from 0")
        return float(radius) if center.dtype is torch.float64 else _up(float(radius))
    given = _tensor(radius, "radius", center)
    _check_radius_shape(given, center, norm)
    if not bool(((given >= 0) & torch.isfinite(given)).all()):
        raise RequestError("region: a radius is negative or no finite number, expected numbers from 0")
    exact = given if given.is_floating_point() else given.double()
    cast = exact.to(center.dtype)
    if cast.dtype is not exact.dtype:
        cast = torch.where(cast < exact, torch.nextafter(cast, torch.full_like(cast, math.inf)), cast)
    alone = norm != "inf" and cast.dim() == 1
    return cast.reshape(-1, *[1] * (center.dim() - 1)) if alone else cast


@lru_cache(maxsize=256)
def _up(radius: float) -> float:
    """The least float32 that is not below."""
    near = np.float32(radius)
    return float(near if float(near) >= radius else np.nextafter(near, np.float32(math.inf)))


def _check_radius_shape(radius: Tensor, center: Tensor, norm: Norm) -> None:
    shape, whole = list(radius.shape), list(center.shape)
    if norm == "inf":
        if not _fits(shape, whole):
            batched = shape == whole[:1]
            hint = f"; one a sample has shape {[whole[0], *[1] * (len(whole) - 1)]}" if batched else ""
            raise RequestError(f"region: the radius has shape {shape}, which does not fit the centre's {whole}{hint}")
        return
    allowed = [[], [1], whole[:1], [whole[0], *[1] * (len(whole) - 1)], [1] * len(whole)]
    if shape not in allowed:
        raise RequestError(f"region: the radius has shape {shape}, norm {norm!r} takes one a sample, {whole[:1]}")


def check_domain(low: Any, high: Any, center: Tensor) -> None:
    """Raise unless each limit is a number or tensor that fits the centre, and `low` nowhere above `high`."""
    if isinstance(low, float | int | None) and isinstance(high, float | int | None):
        nan = (low is not None and math.isnan(low)) or (high is not None and math.isnan(high))
        empty = low is not None and high is not None and low > high
    else:
        below, above = (_limit(low, "low", center), _limit(high, "high", center))
        nan = any(side is not None and bool(torch.isnan(side).any()) for side in (below, above))
        empty = below is not None and above is not None and bool((below > above).any())
    if nan:
        raise RequestError("region: a limit of the domain is NaN; leave out low or high where there is no limit")
    if empty:
        raise RequestError("region: the domain is empty, low lies above high")


def _limit(limit: Any, name: str, center: Tensor) -> Tensor | None:
    if limit is None:
        return None
    found = _tensor(limit, name, center)
    if not _fits(list(found.shape), list(center.shape)):
        raise RequestError(
            f"region: {name} has shape {list(found.shape)}, which does not fit the centre's {list(center.shape)}"
        )
    return found


def check_box(low: Tensor, high: Tensor) -> None:
    """Raise unless these are the corners of a finite box."""
    check_center(low, "inf", "low")
    check_center(high, "inf", "high")
    if low.shape != high.shape or low.dtype is not high.dtype or low.device != high.device:
        told = [f"{list(corner.shape)} {corner.dtype} on {corner.device}" for corner in (low, high)]
        raise RequestError(f"region: a box needs corners of one kind, low is {told[0]}, high {told[1]}")
    if bool((low > high).any()):
        raise RequestError("region: the box is inverted, low lies above high")


def _tensor(given: Any, name: str, center: Tensor) -> Tensor:
    try:
        return torch.as_tensor(given, device=center.device).resolve_neg()
    except (TypeError, ValueError, RuntimeError):
        raise RequestError(f"region: {name} {given!r} is neither a number nor a tensor") from None


def _fits(shape: list[int], whole: list[int]) -> bool:
    """Whether `shape` broadcasts to exactly `whole`."""
    pairs = zip(reversed(shape), reversed(whole), strict=False)
    return len(shape) <= len(whole) and all(one in (1, all_) for one, all_ in pairs)
