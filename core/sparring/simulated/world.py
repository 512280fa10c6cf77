"""The contract of a world: a batch of episodes of one simulated game, stepped together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Step", "World"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Step:
    """What one step of all episodes gave; rows of episodes that did not move repeat their last observation."""

    observations: Array
    """[batch, *observation]."""
    rewards: NDArray[np.float64]
    """Of this step, [batch]; 0 where the episode did not move."""
    terminated: Flags
    """Whether the episode has come to its own end, [batch]."""
    truncated: Flags
    """Whether it was cut by the time limit, [batch]."""

    @cached_property
    def finished(self) -> Flags:
        """Whether the episode is over, [batch]; it stays so until it is begun anew."""
        return self.terminated | self.truncated


@runtime_checkable
class World(Protocol):
    """A batch of episodes of one game.

    Each episode has its own seed, from which all its chance comes, so that what happens in it depends neither on
    the number of episodes beside it nor on their order. A finished episode stays finished until `restart`.
    """

    size: int
    """How many episodes it can hold at once."""

    @property
    def observations(self) -> Array:
        """What the episodes show now, [batch, *observation]."""
        ...

    def reset(self, seeds: Sequence[int]) -> Array:
        """Begin one episode for each seed, at most `size` of them; returns observations [batch, *observation].

        Raises:
            RequestError: no seed, too many, or one that is no whole number from 0.
        """
        ...

    def restart(self, where: Flags, seeds: Sequence[int]) -> Array:
        """Begin new episodes in the places that `where` [batch] marks, a seed each; returns all observations."""
        ...

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        """Move the episodes that are `active` [batch] (None: all) and not finished.

        Args:
            actions: [batch, *action]; rows of episodes that do not move are not looked at.
            active: which episodes move.

        Raises:
            RequestError: actions of another shape.
            WorldError: the simulator gave something that is not a number, or a worker process ended.
        """
        ...

    def save(self) -> Any:
        """A copy of the state of all episodes, chance included, which later steps leave alone; it can be pickled."""
        ...

    def load(self, saved: Any) -> None:
        """Go back to a state that `save` gave here or in another world of the same game and size."""
        ...

    def close(self) -> None:
        """Give back what the simulator holds; nothing can be done with the world afterwards."""
        ...
