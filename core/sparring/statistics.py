"""What many episodes say together: mean, median and interquartile mean, with bootstrap intervals.

After Agarwal et al. 2021 (*Deep Reinforcement Learning at the Edge of the Statistical Precipice*, section 4.1): an
interval is the middle 95% of what an aggregate gives on samples of the same size, drawn with replacement within each
stratum alone. A stratum holds the scores of one task. An evaluation has one game and one victim, and so one stratum,
whose runs are its episodes; nothing is said of other trainings of the same victim.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from sparring.errors import RequestError

__all__ = ["LEVELS", "REPEATS", "Aggregate", "bootstrap", "interquartile_mean", "resamples"]

Floats = NDArray[np.float64]
REPEATS = 2000
"""Bootstrap samples behind an interval."""
NUMBERS = 2**22
"""Scores that are drawn at once, so that memory does not grow with the episodes."""
LEVELS = (2.5, 97.5)
"""Percentiles between which an interval lies."""


@dataclass(frozen=True)
class Aggregate:
    """One number made of many, with its 95% bootstrap interval."""

    value: float
    ci95: tuple[float, float]


def interquartile_mean(scores: Floats) -> Floats:
    """Mean of the middle half along the last axis; a quarter of the scores, rounded down, is left out at each end."""
    ordered = np.sort(scores, axis=-1)
    cut = ordered.shape[-1] // 4
    return np.asarray(ordered[..., cut : ordered.shape[-1] - cut].mean(axis=-1))


def resamples(sizes: Sequence[int], rng: np.random.Generator, repeats: int = REPEATS) -> list[NDArray[np.int64]]:
    """Places drawn with replacement within strata of these sizes, [repeats, size] each."""
    return [rng.integers(size, size=(repeats, size)) for size in sizes]


def bootstrap(
    strata: Sequence[ArrayLike],
    aggregate: Callable[[Floats], Floats],
    rng: np.random.Generator,
    repeats: int = REPEATS,
) -> Aggregate:
    """An aggregate of all scores with its stratified percentile interval.

    Args:
        strata: the scores of each task, [episodes] each.
        aggregate: from scores [..., episodes] to one number each, [...].
        rng: draws the samples.
        repeats: how many samples.

    Raises:
        RequestError: a stratum without scores.
    """
    scores = [np.asarray(stratum, dtype=np.float64) for stratum in strata]
    if not scores or any(stratum.ndim != 1 or stratum.size == 0 for stratum in scores):
        raise RequestError("bootstrap: every stratum is a list of one score or more")
    sizes = [len(stratum) for stratum in scores]
    once = max(1, NUMBERS // sum(sizes))
    found = []
    for start in range(0, repeats, once):
        places = resamples(sizes, rng, min(once, repeats - start))
        drawn = np.concatenate([stratum[at] for stratum, at in zip(scores, places, strict=True)], axis=1)
        found.append(aggregate(drawn))
    low, high = np.percentile(np.concatenate(found), LEVELS)
    return Aggregate(float(aggregate(np.concatenate(scores))), (float(low), float(high)))
