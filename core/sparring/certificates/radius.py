"""Certified radius: how large a ball may be in which the greedy action provably stays the same."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificates._bounding import backend_of
from sparring.certificates._margins import margins_of
from sparring.certificates.regions import Normalisation, observation_region
from sparring.errors import RequestError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CertifiedRadius", "certified_radius"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class CertifiedRadius:
    """For each sample a radius at which its greedy action was certified."""

    radius: Floats
    """[batch]; 0 where none was certified."""
    nominal: NDArray[np.int64]
    """The greedy action, [batch]."""
    calls: int
    """Times that the whole batch was bounded."""


def certified_radius(
    module: nn.Module,
    observation: NDArray[np.generic],
    ball: Ball,
    method: str | BoundBackend = "crown",
    *,
    greatest: float,
    tolerance: float,
    normalisation: Normalisation | None = None,
) -> CertifiedRadius:
    """Look for the largest certified radius of each observation by bisection, for the whole batch at once.

    Every radius given back was itself certified. Bounds need not get looser with the radius for that; where they do
    not, a larger radius than the one found may be certified too.

    Args:
        module: from observations to action values or logits.
        observation: [batch, *features].
        ball: norm, scale and domain.
        method: a bound backend or its name.
        greatest: the radius at which the search starts; where it is certified it is the answer.
        tolerance: how close the certified radius and one that failed must come before the search ends.
        normalisation: see `observation_region`.

    Raises:
        RequestError: `greatest` or `tolerance` is no finite number above 0.
        RefusedError: the backend has no rule for an operation of the module.
    """
    for name, given in (("greatest", greatest), ("tolerance", tolerance)):
        if not (math.isfinite(given) and given > 0):
            raise RequestError(f"certified radius: {name} is {given}, expected a finite number above 0")
    backend = backend_of(method)
    found, failed = np.zeros(len(observation)), np.full(len(observation), np.inf)
    tried = np.full(len(observation), float(greatest))
    calls = 0
    while True:
        margins = margins_of(
            module, observation_region(ball, tried, observation, module, normalisation=normalisation), backend
        )
        calls += 1
        found = np.where(margins.certified, np.maximum(found, tried), found)
        failed = np.where(margins.certified, failed, np.minimum(failed, tried))
        # What is equal at the centre, or certified at `greatest`, is settled; it keeps its last radius in the batch.
        wide = margins.ahead & (found < greatest) & (failed - found > tolerance)
        middle = found + (failed - found) / 2
        wide &= (middle > found) & (middle < failed)
        if not wide.any():
            return CertifiedRadius(found, margins.nominal, calls)
        tried = np.where(wide, middle, tried)
