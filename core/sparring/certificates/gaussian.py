"""Gaussian policies: how far the distribution over actions can be moved."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import erf

from sparring.certificates.outward import EPS, above, below, euclidean_above, sum_above
from sparring.certificates.ranges import OutputRange
from sparring.errors import RequestError

__all__ = ["GaussianChange", "gaussian_change"]

Floats = NDArray[np.float64]
FUNCTION = 16
"""Roundings that an exponential, logarithm or error function of the libraries stands for."""


@dataclass(frozen=True, eq=False)
class GaussianChange:
    """Upper bounds over the region, [batch] each; for `pi(.|s)` with the true `s` and any `s_hat` of the region."""

    divergence: Floats
    """`KL(pi(.|s) || pi(.|s_hat))` in nats; inf where unknown."""
    total_variation: Floats
    """At most 1."""


def gaussian_change(
    mean: OutputRange, *, deviation: NDArray[np.generic] | None = None, log_deviation: OutputRange | None = None
) -> GaussianChange:
    """Bound KL divergence and total variation of a diagonal Gaussian policy (thesis, equations 6.5 and 6.6).

    With a standard deviation that no observation changes, `KL = sum d_i^2 / (2 sigma_i^2)` and
    `TV = erf(d / (2 sqrt 2))` with `d^2 = sum d_i^2 / sigma_i^2`, the ranges' changes of the mean put in. (The thesis'
    theorem 6.3.2 prints twice this total variation.) With one that the network gives, each coordinate's KL divergence
    is greatest at an end of the range of the deviation, as it falls and then rises in it; total variation is then
    bounded through it, by Pinsker's and by Bretagnolle and Huber's inequality.

    What clips or squashes sampled actions afterwards, the same way for every observation, raises neither.

    Args:
        mean: range of the mean, from `output_range`.
        deviation: standard deviation of each action, [actions], above 0.
        log_deviation: range of its logarithm, where the network gives it.

    Raises:
        RequestError: not exactly one of the two deviations is given, or it does not fit or is no positive number.
    """
    if (deviation is None) == (log_deviation is None):
        raise RequestError("gaussian: give either deviation (the same for every observation) or log_deviation")
    if log_deviation is not None:
        if log_deviation.low.shape != mean.low.shape:
            raise RequestError(
                f"gaussian: log_deviation has shape {list(log_deviation.low.shape)}, expected {list(mean.low.shape)}"
            )
        divergence = _finite(sum_above(_divergences(mean.change, log_deviation)))
        return GaussianChange(divergence, _through(divergence))
    sigma = np.asarray(deviation, dtype=np.float64)
    if sigma.shape not in ((), mean.low.shape[1:]) or not (np.isfinite(sigma).all() and (sigma > 0).all()):
        raise RequestError(f"gaussian: deviation must be {mean.low.shape[1]} finite numbers above 0")
    length = euclidean_above(above(mean.change / sigma))
    return GaussianChange(
        above(length * length / 2, 2), np.minimum(above(erf(above(length / (2 * np.sqrt(2)), 3)), FUNCTION), 1.0)
    )


def _divergences(change: Floats, log_deviation: OutputRange) -> Floats:
    """KL divergence of each coordinate at its worst, [batch, actions]."""
    at, low, high = log_deviation.nominal, log_deviation.low, log_deviation.high
    return np.maximum(_divergence(change, at, low), _divergence(change, at, high))


def _divergence(change: Floats, at: Floats, to: Floats) -> Floats:
    """`log(s'/s) + (s^2 + d^2) / (2 s'^2) - 1/2`, never too small; inf where it is not a number."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        step = to - at
        spread = above(np.exp(-2 * below(step)) / 2, FUNCTION)
        shift = above(above(change * above(np.exp(-to), FUNCTION)) ** 2 / 2, 2)
        # The terms cancel near 0, so what rounding may do is measured by their sizes and not by that of the sum.
        room = FUNCTION * EPS * (np.abs(step) * 3 + spread * (1 + np.abs(step)) + shift + np.abs(at) + np.abs(to) + 1)
        return _finite(step + spread - 0.5 + shift + room)


def _through(divergence: Floats) -> Floats:
    """Total variation from KL divergence, the smaller of two bounds."""
    pinsker = above(np.sqrt(divergence / 2), 2)
    huber = above(np.sqrt(above(-np.expm1(-divergence), FUNCTION)), 2)
    return np.minimum(np.minimum(pinsker, huber), 1.0)


def _finite(values: Floats) -> Floats:
    return np.where(np.isnan(values), np.inf, values)
