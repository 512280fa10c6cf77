"""How far the training of an attacker has come; imported only where torch is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import fmean

from sparring_plugins.learners.state import PpoState

__all__ = ["Progress", "Tried"]


@dataclass(frozen=True)
class Tried:
    """An iterate as it was scored."""

    updates: int
    steps: int
    """Simulator steps of training before it."""
    returns: tuple[float, ...]
    """The victim's, on the seeds of the selection; all iterates meet the same."""
    played: int
    """Simulator steps of these episodes."""

    @property
    def mean(self) -> float:
        """The victim's mean return."""
        return fmean(self.returns)


@dataclass(frozen=True, eq=False)
class Progress:
    """Learner, best iterate, and the scores of all that were scored."""

    state: PpoState
    best: PpoState
    tried: tuple[Tried, ...]
    """In order, the untrained one first."""
    sought: int = 0
    """Simulator steps spent on other untrained ones."""

    @property
    def spent(self) -> int:
        """Simulator steps of training and of scoring."""
        return self.sought + self.state.steps + sum(each.played for each in self.tried)

    def with_tried(self, found: Tried) -> Progress:
        """With the state's score, which becomes the best if it is lower than all before."""
        better = found.mean < min(each.mean for each in self.tried)
        best = self.state.detached() if better else self.best
        return replace(self, best=best, tried=(*self.tried, found))
