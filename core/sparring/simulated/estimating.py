"""From the returns of episodes to an estimate of their mean."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.special import stdtrit

from sparring.exploitability import Estimate
from sparring.simulated.episodes import Episodes

__all__ = ["estimate_of", "mean_over"]


def estimate_of(episodes: Episodes) -> Estimate:
    """The mean return with Student's intervals, two-sided and one-sided at 95%; the episodes are kept in it."""
    returns = episodes.returns
    count = len(returns)
    mean = float(np.mean(returns))
    error = float(np.std(returns, ddof=1)) / math.sqrt(count)
    two, one = (float(stdtrit(count - 1, level)) for level in (0.975, 0.95))
    interval, limit = (mean - two * error, mean + two * error), mean + one * error
    return Estimate(mean, ci95=interval, episodes=count, high95=limit, **_kept(episodes))


def mean_over(episodes: Episodes) -> Estimate:
    """The mean return over the seeds of these episodes and of no others: exact, with nothing to be sure of."""
    return Estimate(math.fsum(episodes.returns) / len(episodes.returns), **_kept(episodes))


def _kept(episodes: Episodes) -> dict[str, Any]:
    """The episodes as an estimate keeps them."""
    return {
        "steps": int(episodes.lengths.sum()),
        "returns": tuple(episodes.returns.tolist()),
        "seeds": episodes.seeds,
        "lengths": tuple(episodes.lengths.tolist()),
        "truncated": tuple(episodes.truncated.tolist()),
    }
