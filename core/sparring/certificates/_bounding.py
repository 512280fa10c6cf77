"""A backend's bounds as arrays; what is no bound is turned into 'unknown', and what cannot be one is a bug."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.bounds import BoundBackend, Region
from sparring.errors import RequestError, SparringError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["backend_of", "bounds_of", "check_inside", "outputs_of", "part_of"]

Floats = NDArray[np.float64]
ROUNDING = 2.0**10
"""Relative room between a module's outputs in one batch and another, in units of its precision."""


def backend_of(method: str | BoundBackend) -> BoundBackend:
    """A bound backend by name, or the one given."""
    if isinstance(method, BoundBackend):
        return method
    from sparring.registry import default_registry

    found = default_registry().create("bound-backend", method)
    assert isinstance(found, BoundBackend)
    return found


def outputs_of(module: nn.Module, region: Region) -> Floats:
    """What the module gives at the centres, [batch, outputs].

    Raises:
        RequestError: it gives something of another shape, or does not take the centres.
    """
    import torch

    from sparring._bounding_checks import check_module, explain

    check_module(module, region)
    try:
        with torch.no_grad():
            found = module(region.center)
    except Exception:
        explain(module, region, None)
        raise
    if not isinstance(found, torch.Tensor) or found.dim() != 2:
        shape = list(found.shape) if isinstance(found, torch.Tensor) else type(found).__name__
        raise RequestError(f"certificate: the module gives {shape}, expected [batch, outputs]")
    return np.asarray(found.detach().cpu().double().numpy())


def bounds_of(module: nn.Module, region: Region, backend: BoundBackend, spec: Floats | None) -> tuple[Floats, Floats]:
    """Bounds of `spec @ module(x)` over the region, [batch, rows] each; -inf and inf where nothing is known.

    `sparring.bound` refuses a batch in which one bound is unknown. A certificate speaks of each sample alone, so
    here an unknown bound is an infinite one.

    Raises:
        RequestError: the backend gives bounds of another shape.
        RefusedError: it has no rule for an operation.
    """
    import torch

    from sparring._bounding_checks import explain

    center = region.center
    rows = None if spec is None else torch.as_tensor(spec, dtype=center.dtype, device=center.device)
    try:
        lower, upper = backend.bound(module, region, rows)
    except SparringError:
        raise
    except Exception:
        explain(module, region, rows)
        raise
    wanted = None if spec is None else (len(center), np.shape(spec)[-2])
    if lower.shape != upper.shape or lower.dim() != 2 or (wanted is not None and tuple(lower.shape) != wanted):
        given = f"{list(lower.shape)} and {list(upper.shape)}"
        raise RequestError(f"bounds {backend.name}: it gave bounds of shapes {given}, expected [batch, rows]")
    low, high = (np.asarray(part.detach().cpu().double().numpy()) for part in (lower, upper))
    unknown = ~(np.isfinite(low) & np.isfinite(high) & (low <= high))
    return np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)


def check_inside(values: Floats, low: Floats, high: Floats, size: Floats, backend: BoundBackend, dtype: Any) -> None:
    """Raise when a value that the region is known to hold lies outside of its bounds.

    Args:
        values: at the centres, [batch, rows]; values that are not finite say nothing.
        low: lower bounds, [batch, rows].
        high: upper bounds, [batch, rows].
        size: how large the outputs are that the values are made of, [batch, 1].
        backend: for the message.
        dtype: torch's type of the module, whose rounding is forgiven.

    Raises:
        ArithmeticError: the backend is not sound.
    """
    import torch

    room = ROUNDING * torch.finfo(dtype).eps * (1.0 + size)
    outside = np.isfinite(values) & ((values < low - room) | (values > high + room))
    if outside.any():
        sample, row = (int(place) for place in np.argwhere(outside)[0])
        value, least, most = (float(part[sample, row]) for part in (values, low, high))
        raise ArithmeticError(
            f"bounds {backend.name}: not sound; sample {sample} has the value {value!r} at the centre of its region, "
            f"outside of [{least!r}, {most!r}] (row {row})"
        )


def part_of(region: Region, rows: NDArray[np.integer[Any]]) -> Region:
    """The region of some samples of a batch."""
    import torch

    pick = torch.as_tensor(rows, device=region.center.device)
    center = region.center[pick]
    low, high = (corner[pick] for corner in region.corners)
    if region.norm != "inf":
        return replace(region, center=center, radius=region.ball_radius[pick], low=low, high=high)
    # Twice the distance to the further corner reaches both whatever is rounded; the domain cuts off the rest.
    wide = 2 * torch.maximum((center - low).abs(), (high - center).abs())
    return Region(center, wide, "inf", low=low, high=high)
