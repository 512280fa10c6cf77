"""From the returns of episodes to an estimate of their mean."""

from __future__ import annotations

import math

import numpy as np
from scipy.special import stdtrit

from sparring.exploitability import Estimate
from sparring.simulated.episodes import Episodes

__all__ = ["estimate_of"]


def estimate_of(episodes: Episodes) -> Estimate:
    """The mean return with Student's intervals, two-sided and one-sided at 95%; the returns are kept in it."""
    returns = episodes.returns
    count = len(returns)
    mean = float(np.mean(returns))
    error = float(np.std(returns, ddof=1)) / math.sqrt(count)
    two, one = (float(stdtrit(count - 1, level)) for level in (0.975, 0.95))
    return Estimate(
        mean,
        ci95=(mean - two * error, mean + two * error),
        episodes=count,
        steps=int(episodes.lengths.sum()),
        high95=mean + one * error,
        returns=tuple(returns.tolist()),
    )
