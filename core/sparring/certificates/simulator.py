"""What a simulator must offer so that returns in it can be certified."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["Simulator"]


class Simulator(Protocol):
    """A world that can be set back: the same state and the same actions always give the same again.

    Its state is everything that decides what comes next, its own random state (sticky actions), step counter and
    stacked frames among it. `certify_return` plays each rollout again, its first half from the seed and its
    second from a saved state, and gives nothing where the two differ.
    """

    def reset(self, seed: int) -> NDArray[np.generic]:
        """Start the episode that the seed names; gives its first observation, [*features]."""

    def step(self, action: int) -> tuple[NDArray[np.generic], float, bool]:
        """Take an action: the next observation, the victim's reward, and whether the episode is over.

        An episode that was cut off by the simulator's time limit is over as well.
        """

    def save(self) -> Any:
        """The whole state; later steps leave it alone, and it can be loaded any number of times."""

    def load(self, saved: Any) -> None:
        """Set everything back to a saved state."""

    def fingerprint(self) -> Hashable | None:
        """Equal for two states only if they are the same state (its bytes, or a long digest); None to merge none."""
