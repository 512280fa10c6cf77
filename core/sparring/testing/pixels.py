"""The kit's drifting numbers as pictures: whole bytes in two frames, as screens are, and victims that read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.policy import Ability
from sparring.simulated.chance import Chance
from sparring.simulated.spaces import Box, Discrete
from sparring.testing.drifting import CUT, FEATURES, DriftGame, DriftWorld
from sparring.testing.pilots import Pilot, TorchPilot, chain

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Gazer", "PixelGame", "TorchGazer", "drift_pixels"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
FRAMES, ROWS, COLUMNS = 2, 2, 6
"""Two frames, the second the negative of the first; each number is a bar of two rows and six columns."""
SHAPE = (FRAMES, ROWS * FEATURES, COLUMNS)
PER_UNIT, WHITE = 1.5, 255.0
"""Columns that a bar grows by, and a bright pixel."""


def _reading() -> Floats:
    """What each number is read as from pixels between 0 and 1, [3, pixels]: bright in one frame, dark in the other."""
    weights = np.zeros((FEATURES, *SHAPE))
    for feature in range(FEATURES):
        weights[feature, :, ROWS * feature : ROWS * (feature + 1)] = COLUMNS / (2 * PER_UNIT * ROWS * COLUMNS)
    weights[:, 1] *= -1
    return weights.reshape(FEATURES, -1)


READING = _reading()


def read(pixels: Array) -> Floats:
    """The numbers behind pixels between 0 and 1, [batch, 3]; row by row, as no product of BLAS is."""
    flat = pixels.reshape(len(pixels), -1)
    return np.asarray(sum(flat[:, [place]] * READING[:, place] for place in range(READING.shape[1])))


class PixelWorld(DriftWorld):
    """The drifting numbers, shown as bars."""

    @property
    def observations(self) -> Array:
        """The frames, [batch, 2, 6, 6], bytes."""
        reach = COLUMNS / 2 + PER_UNIT * self._at[:, :, None] - np.arange(COLUMNS)
        bars = np.repeat(np.clip(reach, 0.0, 1.0), ROWS, axis=1)
        return np.round(WHITE * np.stack([bars, 1.0 - bars], axis=1)).astype(np.uint8)


@dataclass(frozen=True, eq=False)
class PixelGame(DriftGame):
    """The kit's world seen as pictures."""

    def world(self, size: int, workers: int = 0) -> PixelWorld:
        """A world in this process; there is nothing to share."""
        return PixelWorld(self, size)


def drift_pixels() -> PixelGame:
    """Three choices and noise, seen as pictures."""
    seen = Box(np.zeros(SHAPE), np.full(SHAPE, WHITE), "uint8")
    return PixelGame("kit:drift-pixels", seen, Discrete(3), CUT, 0.0, 0.05)


class Gazer(Pilot):
    """A pilot that reads the numbers from pictures; it normalises pixels to 0 to 1."""

    def normalised(self, observation: NDArray[np.generic]) -> Array:
        """Pixels between 0 and 1, float64."""
        wide = np.asarray(observation, dtype=np.float64)
        return wide / WHITE if self.normalises else wide

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Read, and steer."""
        return self.chosen(read(self.normalised(observation)), memory, rng)

    def to_document(self) -> dict[str, Any]:
        """That of a pilot, of another kind."""
        return super().to_document() | {"kind": "kit-gazer"}


class TorchGazer(Gazer, TorchPilot):
    """A gazer with gradients, module and action values; needs torch."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that a memoryless network has; nobody judges pictures here."""
        return super().abilities - {Ability.CRITIC}

    @property
    def critics(self) -> tuple[str, ...]:
        """None."""
        return ()

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """Action values, [batch, 3]; of bytes too, as they are shown."""
        return super().outputs(observation if observation.is_floating_point() else observation.double(), memory)

    def action_values(self, observation: NDArray[np.generic], memory: Any) -> Floats:
        """`Q(s, .)`, [batch, 3]."""
        return self._steered(read(self.normalised(observation)))

    def module(self) -> nn.Module:
        """Pixels side by side, weights and tanh, in float64."""
        import torch

        rows = self.weights[: self.outputs_count] @ READING / (WHITE if self.normalises else 1.0)
        steering = chain(torch.tensor(rows), torch.zeros(len(rows), dtype=torch.float64))
        return torch.nn.Sequential(torch.nn.Flatten(), *steering).requires_grad_(False)
