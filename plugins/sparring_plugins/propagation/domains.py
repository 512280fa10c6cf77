"""Curves that are met on a part of the line only, and those that are defined on no more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor

from sparring.errors import RefusedError
from sparring_plugins.propagation.curves import Curve, Lines

__all__ = ["Floored", "Within"]


class Floored(Curve):
    """A curve whose argument is known never to be less than a number, whatever bounds of it say."""

    partial = True

    def __init__(self, curve: Curve, floor: float) -> None:
        self._curve, self._floor = curve, floor

    def value(self, x: Tensor) -> Tensor:
        """The curve's."""
        return self._curve.value(x.clamp(min=self._floor))

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The curve's image of what is possible."""
        return self._curve.image(*self._possible(low, high))

    def error(self, low: Tensor, high: Tensor) -> Tensor | float:
        """The curve's."""
        return self._curve.error(*self._possible(low, high))

    def box(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The curve's."""
        return self._curve.box(*self._possible(low, high))

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """Lines around what is possible."""
        return self._curve.lines(*self._possible(low, high), choice)

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The curve's."""
        return self._curve.start(*self._possible(low, high))

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor | None:
        """The curve's."""
        return self._curve.touching(*self._possible(low, high), point)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """Lines around what is possible."""
        return self._curve.free_lines(*self._possible(low, high), alpha)

    def _possible(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        low = low.clamp(min=self._floor)
        return low, torch.maximum(low, high)


class Within(Curve):
    """A curve with a domain; where an interval leaves it, the refusal also says where in the network that is."""

    partial = True

    def __init__(self, curve: Curve, path: str) -> None:
        self._curve, self._path = curve, path

    @contextmanager
    def _located(self) -> Iterator[None]:
        try:
            yield
        except RefusedError as error:
            raise RefusedError(f"unknown: at {self._path!r} {error}; a smaller region may do") from error

    def value(self, x: Tensor) -> Tensor:
        """The curve's."""
        return self._curve.value(x)

    def image(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The curve's."""
        with self._located():
            return self._curve.image(low, high)

    def error(self, low: Tensor, high: Tensor) -> Tensor | float:
        """The curve's."""
        with self._located():
            return self._curve.error(low, high)

    def box(self, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
        """The curve's."""
        with self._located():
            return self._curve.box(low, high)

    def lines(self, low: Tensor, high: Tensor, choice: str = "adaptive") -> Lines:
        """The curve's."""
        with self._located():
            return self._curve.lines(low, high, choice)

    def start(self, low: Tensor, high: Tensor) -> Tensor:
        """The curve's."""
        with self._located():
            return self._curve.start(low, high)

    def touching(self, low: Tensor, high: Tensor, point: Tensor) -> Tensor | None:
        """The curve's."""
        with self._located():
            return self._curve.touching(low, high, point)

    def free_lines(self, low: Tensor, high: Tensor, alpha: Tensor) -> Lines:
        """The curve's."""
        with self._located():
            return self._curve.free_lines(low, high, alpha)
