"""Chance of a batch of episodes: one counter-based stream for each, so that the batch size changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparring.streams import stream

__all__ = ["Chance", "EpisodeStreams"]

Floats = NDArray[np.float64]


class Chance(Protocol):
    """What a policy draws from: a numpy Generator, or the streams of a batch of episodes."""

    def standard_normal(self, size: Any) -> Any:
        """Normal numbers of an array [batch, ...]."""
        ...

    def random(self, size: Any) -> Any:
        """Numbers from 0 up to 1, of an array [batch, ...]."""
        ...


class EpisodeStreams:
    """The streams of a batch of episodes; row `i` of every draw comes from the stream of episode `i` alone."""

    def __init__(self, seeds: Sequence[int], purpose: str) -> None:
        """Make a stream for each episode's seed; those of another purpose are independent of them."""
        self._purpose = purpose
        self._streams = [stream(int(seed), purpose) for seed in seeds]

    def renew(self, where: NDArray[np.bool_], seeds: Sequence[int]) -> None:
        """Begin the streams of new episodes in the places that `where` [batch] marks."""
        for place, seed in zip(np.flatnonzero(where), seeds, strict=True):
            self._streams[place] = stream(int(seed), self._purpose)

    def standard_normal(self, size: tuple[int, ...] | int) -> Floats:
        """Normal numbers, [batch, ...].

        Raises:
            ValueError: the first size is not the number of episodes.
        """
        return self._drawn(size, np.random.Generator.standard_normal)

    def random(self, size: tuple[int, ...] | int) -> Floats:
        """Numbers from 0 up to 1, [batch, ...].

        Raises:
            ValueError: the first size is not the number of episodes.
        """
        return self._drawn(size, np.random.Generator.random)

    def _drawn(self, size: tuple[int, ...] | int, draw: Callable[..., object]) -> Floats:
        shape = (size,) if isinstance(size, int) else tuple(size)
        if not shape or shape[0] != len(self._streams):
            raise ValueError(f"{len(self._streams)} episodes draw {list(shape)}, expected [{len(self._streams)}, ...]")
        drawn = np.empty(shape)
        for each, row in zip(self._streams, drawn.reshape(len(drawn), -1), strict=True):
            draw(each, out=row)
        return drawn
