"""What can be chosen about training a critic; loads without torch."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["CriticSettings"]


@dataclass(frozen=True)
class CriticSettings:
    """Settings of one critic; the shares are of the whole training."""

    weight: float
    """`lambda_RS` of the thesis, in units in which values have a deviation of 1; 0 for plain Sarsa."""
    radius: float
    """Largest change of an action that the critic is made robust to, as a part of the action's range."""
    start: int = 0
    """Which of the first weights that the seed gives, and which order of the transitions."""
    spread: float = 3.0
    """Noise in the actions that it learns from, as `collected` has it."""
    bounds: str = "crown-ibp"
    """Bound backend, or `sgld`."""
    discount: float = 0.99
    trace: float = 0.0
    """Lambda of the returns that values are drawn to: 0 for Sarsa, 1 for whole returns."""
    hidden: int = 64
    """Neurons in each of the two hidden layers."""
    epochs: int = 30
    """Times that all transitions are gone through; the targets are computed anew before each."""
    batch: int = 512
    rate: float = 1e-3
    """Step size of Adam."""
    warmup: float = 1 / 3
    """Share that passes before the radius begins to grow, and the share that it then grows over."""
    decline: float = 1 / 3
    """Share at the end over which the step size falls to 0."""

    @property
    def told(self) -> str:
        """What tells critics of one grid apart, as a spec writes it."""
        return f"weights={self.weight:g},radii={self.radius:g},starts={self.start},spreads={self.spread:g}"
