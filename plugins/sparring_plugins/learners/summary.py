"""What an update tells: how episodes went, and whether learning is healthy."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sparring_plugins.learners.improving import Seen
from sparring_plugins.learners.rollout import Rollout
from sparring_plugins.learners.scaling import discounted_returns
from sparring_plugins.learners.state import Ongoing

__all__ = ["Finished", "finished_episodes", "healthy"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Finished:
    """Episodes that came to an end in a rollout, and what the unfinished ones have so far."""

    returns: Floats
    """Not discounted, not scaled, [episodes]."""
    lengths: Floats
    """Steps, [episodes]."""
    returns_so_far: Floats
    """[batch]."""
    lengths_so_far: Floats
    """[batch]."""

    @property
    def metrics(self) -> dict[str, float]:
        """Their number and means; no means where there were none."""
        if len(self.returns) == 0:
            return {"episodes": 0.0}
        found = {"return": self.returns.mean(), "length": self.lengths.mean()}
        return {"episodes": float(len(self.returns))} | {name: float(mean) for name, mean in found.items()}


def finished_episodes(rollout: Rollout, before: Ongoing) -> Finished:
    """Returns and lengths, what came before the rollout included."""
    returns, gained = discounted_returns(rollout.rewards, rollout.finished, before.returns, 1.0)
    ones = np.ones_like(rollout.rewards)
    lengths, taken = discounted_returns(ones, rollout.finished, before.lengths.astype(np.float64), 1.0)
    return Finished(returns[rollout.finished], lengths[rollout.finished], gained, taken)


def healthy(seen: Seen, rollout: Rollout, targets: Floats, clip: float) -> dict[str, float]:
    """Numbers that practitioners watch.

    Args:
        seen: of the last epoch.
        rollout: whose values are judged.
        targets: of the critic, [steps, batch].
        clip: of the objective.
    """
    ratios = seen.log_ratios.exp() - 1
    variance = float(targets.var())
    return {
        "kl": float((ratios - seen.log_ratios).mean()),  # from the old policy to the new one (Schulman 2020, k3)
        "clipped": float((ratios.abs() > clip).float().mean()),
        "explained_variance": 1 - float((targets - rollout.values).var()) / variance if variance > 0 else 0.0,
    }
