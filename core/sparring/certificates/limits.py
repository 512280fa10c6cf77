"""How far the search for a least return may go, and what is known of rewards."""

from __future__ import annotations

import math
from dataclasses import dataclass

from sparring.errors import RequestError

__all__ = ["SearchLimits"]


@dataclass(frozen=True)
class SearchLimits:
    """How far a search may go, and what is known of the rewards.

    Raises:
        RequestError: a number is outside of its range.
    """

    steps: int = 100_000
    """Simulator steps for each seed; the first rollout counts twice, as it is played again to see that it repeats."""
    branching: int | None = None
    """Those of them that may be spent on branches, after the first rollout; None for all that are left."""
    horizon: int | None = None
    """Steps after which an episode is cut off and over, beside the simulator's own limit."""
    gamma: float = 1.0
    """Discount of the return."""
    least_reward: float | None = None
    """No reward of a single step is less; without it nothing is proved as long as a branch is open."""
    segment: int = 32
    """Steps that a branch is followed before its bounds are computed together."""

    def __post_init__(self) -> None:
        for name, given, least in (("steps", self.steps, 2), ("segment", self.segment, 1)):
            if given < least:
                raise RequestError(f"search: {name} is {given}, expected at least {least}")
        if self.branching is not None and self.branching < 0:
            raise RequestError(f"search: branching is {self.branching}, expected at least 0")
        if self.horizon is not None and self.horizon < 1:
            raise RequestError(f"search: horizon is {self.horizon}, expected at least 1")
        if not 0 < self.gamma <= 1:
            raise RequestError(f"search: gamma is {self.gamma}, expected a number above 0 and up to 1")
        if self.least_reward is not None and not math.isfinite(self.least_reward):
            raise RequestError(f"search: least_reward is {self.least_reward}, expected a finite number")

    def to_go(self, depth: int) -> float:
        """Least return of an episode from `depth` on, if at least one more step is taken; -inf where unknown."""
        least, gamma = self.least_reward, self.gamma
        if least is None:
            return -math.inf
        if least >= 0:  # the episode may be over after one step, and later rewards take nothing away
            return float(gamma**depth * least)
        if self.horizon is not None:
            left = self.horizon - depth
            return least * (left if gamma == 1 else gamma**depth * (1 - gamma**left) / (1 - gamma))
        return -math.inf if gamma == 1 else least * gamma**depth / (1 - gamma)
