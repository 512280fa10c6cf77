"""Adam on one flat vector, with the gradient's norm limited first."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Adam", "Averages"]

MEAN, SQUARE, TINY = 0.9, 0.999, 1e-5
"""Decay of both averages, and what is added to the root; PPO has 1e-5 there since its first code."""


@dataclass(frozen=True, eq=False)
class Averages:
    """What Adam remembers."""

    mean: Tensor
    """Of gradients, [size]."""
    square: Tensor
    """Of squared gradients, [size]."""
    count: int
    """Steps done."""

    @classmethod
    def none(cls, size: int) -> Averages:
        """Before the first step."""
        return cls(torch.zeros(size), torch.zeros(size), 0)


class Adam:
    """Kingma and Ba 2015, algorithm 1; works on copies of the averages it starts from."""

    def __init__(self, averages: Averages, rate: float, limit: float) -> None:
        """Go on from averages, with that step size and greatest norm."""
        self._mean, self._square, self._count = averages.mean.clone(), averages.square.clone(), averages.count
        self._rate, self._limit = rate, limit

    def step(self, flat: Tensor, gradient: Tensor) -> float:
        """Move `flat` [size] in place; returns the norm of the gradient, which is spent, before it is limited."""
        norm = float(torch.linalg.vector_norm(gradient))
        if norm > self._limit:
            gradient.mul_(self._limit / norm)
        self._count += 1
        self._mean.lerp_(gradient, 1 - MEAN)
        self._square.mul_(SQUARE).addcmul_(gradient, gradient, value=1 - SQUARE)
        full = (1 - SQUARE**self._count) ** 0.5  # both corrections of the averages' start, in the order of section 2
        root = self._square.sqrt().add_(TINY * full)
        flat.addcdiv_(self._mean, root, value=-self._rate * full / (1 - MEAN**self._count))
        return norm

    @property
    def averages(self) -> Averages:
        """What it remembers now; it is not to step afterwards."""
        return Averages(self._mean, self._square, self._count)
