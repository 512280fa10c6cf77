"""From an attack budget to a region: everything that the victim's network may be shown in place of an observation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.bounds import Region
from sparring.certificates.outward import above, below, cast_above, cast_below, euclidean_above, sum_above
from sparring.errors import RefusedError, RequestError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Normalisation", "observation_region"]

Floats = NDArray[np.float64]
SPARE = 4
"""Roundings in the module's precision that an attacker's own arithmetic may add to the size of its change."""


@dataclass(frozen=True, eq=False)
class Normalisation:
    """What a policy does to observations before its layers: `(x - mean) / deviation`, frozen.

    A policy that clips what it has normalised must say so by the ball's `low` and `high`, if changes are measured
    after normalisation: a change beyond the clip has no observation that it could come from.
    """

    mean: Floats
    """[*features]."""
    deviation: Floats
    """[*features], above 0."""


@dataclass(frozen=True, eq=False)
class _Shape:
    """A ball in units of the observation itself."""

    unit: Floats
    """Change of each feature that a radius of one allows, [*features]."""
    low: Floats
    """Least and greatest legal value, [*features] or [batch, *features]."""
    high: Floats
    spare: Floats
    """Change that rounding in the normalised space may add, [batch, *features]."""


def observation_region(
    ball: Ball,
    radius: float | NDArray[np.generic],
    observation: NDArray[np.generic],
    module: nn.Module,
    *,
    normalisation: Normalisation | None = None,
) -> Region:
    """Everything that an attacker with this ball and radius may show, as the module receives it.

    The region is a box, or for norms "1" and "2" a ball cut with a box, around the observation. It is rounded
    outward to the module's dtype, and holds whatever the victim's own cast of a shown observation gives. Features
    with scales of their own make a ball of norm "1" or "2" an ellipsoid; the region is then the smallest ball
    around it, cut with the smallest box. Clipping to the ball's domain never moves an unperturbed feature: where it
    lies outside, the domain reaches as far as it.

    Args:
        ball: norm, scale and domain of a change.
        radius: the budget, one number or one a sample, [batch].
        observation: what is true, [batch, *features].
        module: the network that is shown it; the region has its dtype and device.
        normalisation: what the module does first; needed where the ball is measured after normalisation.

    Raises:
        RequestError: numbers that are not finite, a negative radius, shapes that do not fit.
        RefusedError: the module computes in another precision than float32 or float64.
    """
    import torch

    dtype, device = _home(module)
    single: type[np.floating] = np.float32 if dtype is torch.float32 else np.float64
    seen = _observations(observation)
    size = _radii(radius, seen)
    shape = _raw(ball, seen, size, normalisation, float(np.finfo(single).eps))
    own = np.where(size > 0, above(size * (1 + SPARE * float(np.finfo(single).eps)), 3), 0.0)
    reach = np.where(own * shape.unit > 0, above(above(own * shape.unit, 2) + shape.spare), 0.0)
    least = np.maximum(np.where(reach > 0, below(seen - reach), seen), np.minimum(shape.low, seen))
    most = np.minimum(np.where(reach > 0, above(seen + reach), seen), np.maximum(shape.high, seen))
    with np.errstate(over="ignore"):
        center: NDArray[np.floating] = seen.astype(single)
    low, high = cast_below(least, single), cast_above(most, single)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        raise RequestError(f"region: an observation within the radius does not fit in {dtype}")
    if ball.norm == "inf":
        wide = np.maximum(center.astype(np.float64) - low, high.astype(np.float64) - center)
        round_: Any = cast_above(above(wide), single)
    else:
        lengths = _lengths(ball, own, reach, shape, seen, center)
        round_ = cast_above(lengths, single)
    tensors = [torch.from_numpy(np.ascontiguousarray(part)).to(device) for part in (center, round_, low, high)]
    return Region(tensors[0], tensors[1], ball.norm, low=tensors[2], high=tensors[3])


def _home(module: nn.Module) -> tuple[Any, Any]:
    """Dtype and device of a module; float32 on the processor where it has no numbers."""
    import torch

    held = next((part for part in (*module.parameters(), *module.buffers()) if part.is_floating_point()), None)
    if held is None:
        return torch.float32, torch.device("cpu")
    if held.dtype not in (torch.float32, torch.float64):
        raise RefusedError(f"region: the module computes in {held.dtype}; certificates need float32 or float64")
    return held.dtype, held.device


def _observations(observation: NDArray[np.generic]) -> Floats:
    given = np.asarray(observation)
    if given.ndim < 2 or given.dtype.kind not in "fiub":
        shape = list(given.shape)
        raise RequestError(f"region: observations of shape {shape} and type {given.dtype}, expected [batch, *features]")
    seen = given.astype(np.float64)
    if not np.isfinite(seen).all():
        raise RequestError("region: an observation holds NaN or infinity")
    return seen


def _radii(radius: float | NDArray[np.generic], seen: Floats) -> Floats:
    """One radius a sample, [batch, 1, ...]."""
    given = np.asarray(radius, dtype=np.float64)
    if given.shape not in ((), (len(seen),)) or not np.isfinite(given).all() or (given < 0).any():
        raise RequestError(f"region: radius of shape {list(given.shape)}, expected one finite number from 0 a sample")
    return np.broadcast_to(given, (len(seen),)).reshape(-1, *[1] * (seen.ndim - 1))


def _raw(ball: Ball, seen: Floats, size: Floats, normalisation: Normalisation | None, eps: float) -> _Shape:
    """The ball in units of the observation, [*features]; a normalised space is stretched back."""
    scale = _features("scale", 1.0 if ball.scale is None else ball.scale, seen)
    low = _features("low", -np.inf if ball.low is None else ball.low, seen)
    high = _features("high", np.inf if ball.high is None else ball.high, seen)
    if not np.isfinite(scale).all() or (scale < 0).any():
        raise RequestError("region: the ball's scale must be finite numbers from 0")
    if np.isnan(low).any() or np.isnan(high).any() or (low > high).any():
        raise RequestError("region: the ball's domain is empty, or a limit is not a number")
    if ball.space == "raw":
        return _Shape(scale, low, high, np.zeros_like(seen))
    if normalisation is None:
        raise RequestError("region: the ball is measured after the policy's normalisation; give normalisation")
    mean = _features("mean", normalisation.mean, seen)
    deviation = _features("deviation", normalisation.deviation, seen)
    if not (np.isfinite(mean).all() and np.isfinite(deviation).all() and (deviation > 0).all()):
        raise RequestError("region: normalisation needs finite means and finite deviations above 0")
    # The network adds its change to a rounded (x - mean) / deviation; the module rounds that of a changed x anew.
    inside = np.abs(seen - mean) / deviation + size * scale
    spare = 2 * SPARE * eps * (inside * deviation + np.abs(mean) + np.abs(seen))
    # A limit beyond the reach decides nothing, so the same room does for the limits.
    return _Shape(above(scale * deviation), mean + deviation * low - spare, mean + deviation * high + spare, spare)


def _features(name: str, given: Any, seen: Floats) -> Floats:
    """An array for every feature, [*features]."""
    found, wanted = np.asarray(given, dtype=np.float64), seen.shape[1:]
    if found.shape not in ((), wanted):
        raise RequestError(f"region: {name} has shape {list(found.shape)}, expected {list(wanted)}")
    return np.broadcast_to(found, wanted)


def _lengths(
    ball: Ball, size: Floats, reach: Floats, shape: _Shape, seen: Floats, center: NDArray[np.floating]
) -> Floats:
    """Radius of a ball around the cast centre that holds what comes of the attacker's ball, [batch].

    A change is added to the observation and the sum is cast: two roundings, of half a last digit each.
    """
    moved = np.abs(center.astype(np.float64) - seen)
    info = np.finfo(center.dtype)
    rounded = above((np.abs(seen) + reach) * float(info.eps) + 2 * float(info.tiny), 3)
    # From a number of the dtype each rounding goes at most as far again as the change went.
    slack = np.where(moved > 0, rounded, np.minimum(rounded, 3 * reach))
    extra = (moved + slack + shape.spare * (reach > 0)).reshape(len(seen), -1)
    length = euclidean_above(extra) if ball.norm == "2" else sum_above(extra)
    widest = above(size.reshape(len(seen)) * shape.unit.max())
    return above(above(widest + length), 2)
