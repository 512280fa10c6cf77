"""What every world keeps of its episodes: who has finished, and what each showed last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError

__all__ = ["checked_actions", "checked_seeds", "moving"]

Flags = NDArray[np.bool_]


def checked_seeds(seeds: Sequence[int], most: int, where: str) -> list[int]:
    """The seeds as plain numbers.

    Raises:
        RequestError: none, more than `most`, or one that is no whole number from 0.
    """
    found = [int(seed) for seed in seeds if isinstance(seed, int | np.integer) and seed >= 0]
    if len(found) != len(seeds):
        raise RequestError(f"{where}: seeds {list(seeds)}, each is a whole number from 0")
    if not 1 <= len(found) <= most:
        raise RequestError(f"{where}: {len(found)} seeds for a batch of {most}, give from 1 to {most}")
    return found


def checked_actions(actions: NDArray[Any], batch: int, shape: tuple[int, ...], where: str) -> NDArray[Any]:
    """Actions [batch, *action].

    Raises:
        RequestError: of another shape.
    """
    given = np.asarray(actions)
    if given.shape != (batch, *shape):
        raise RequestError(f"{where}: actions of shape {list(given.shape)}, expected {[batch, *shape]}")
    return given


def moving(active: Flags | None, finished: Flags, where: str) -> Flags:
    """Which episodes move: the active ones that have not finished, [batch].

    Raises:
        RequestError: `active` has another length.
    """
    if active is None:
        return ~finished
    chosen = np.asarray(active, dtype=np.bool_)
    if chosen.shape != finished.shape:
        raise RequestError(f"{where}: active has shape {list(chosen.shape)}, expected {list(finished.shape)}")
    return chosen & ~finished
