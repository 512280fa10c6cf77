"""A learned critic: a network with the scales of what it takes and gives; imported only where torch is needed."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.simulated.spaces import Box
from sparring_plugins.critics.transitions import Transitions
from sparring_plugins.networks.mlp import Mlp

__all__ = ["LearnedCritic", "Scales", "flat_network"]

Floats = NDArray[np.float64]
CLIP = 10.0
"""Scaled states are clipped to it."""
STILL = 1e-6
"""A feature whose deviation is smaller does not change."""


@dataclass(frozen=True, eq=False)
class Scales:
    """What makes states, actions and values numbers of about 1."""

    state_mean: Floats
    """[features]."""
    state_deviation: Floats
    """[features]."""
    action_middle: Floats
    """[actions]."""
    action_half: Floats
    """Half the range, [actions]."""
    value_mean: float
    value_deviation: float

    @classmethod
    def of(cls, seen: Transitions, action: Box, discount: float) -> Scales:
        """The scales of what a victim was seen to do; those of values are of discounted returns."""
        states = seen.states.reshape(-1, seen.states.shape[-1]).astype(np.float64)
        deviation = states.std(axis=0)
        if action.bounded:
            middle, half = (action.high + action.low) / 2, (action.high - action.low) / 2
        else:
            taken = seen.actions.reshape(-1, seen.actions.shape[-1]).astype(np.float64)
            middle, half = taken.mean(axis=0), 2 * taken.std(axis=0)
        half = half.astype(np.float64).reshape(-1)
        returns = _returns(seen, discount)
        return cls(
            state_mean=states.mean(axis=0),
            state_deviation=np.where(deviation > STILL, deviation, 1.0),
            action_middle=middle.astype(np.float64).reshape(-1),
            action_half=np.where(half > STILL, half, 1.0),
            value_mean=float(returns.mean()),
            value_deviation=float(returns.std()) or 1.0,
        )

    def inputs(self, states: Tensor) -> Callable[[Tensor], Tensor]:
        """From actions to what the network takes in these states, [batch, features + actions]; none is clipped."""
        mean, deviation, middle, half = (
            torch.tensor(each, dtype=torch.float32)
            for each in (self.state_mean, self.state_deviation, self.action_middle, self.action_half)
        )
        scaled = ((states - mean) / deviation).clamp(-CLIP, CLIP)
        return lambda actions: torch.cat([scaled, (actions - middle) / half], dim=1)


@dataclass(frozen=True, eq=False)
class LearnedCritic:
    """`Q(s, a)` of a victim, for states as its network sees them."""

    scales: Scales
    sizes: tuple[int, ...]
    """Of the input, of each hidden layer and of the output."""
    weights: NDArray[np.float32]
    """Of all layers, flat."""

    def judging(self, states: Tensor) -> Callable[[Tensor], Tensor]:
        """From actions [batch, actions] in these states [batch, features] to their scaled values, [batch]."""
        network, inputs = self._network, self.scales.inputs(states)
        return lambda actions: network(inputs(actions))[:, 0]

    def values(self, states: Tensor, actions: Tensor) -> Tensor:
        """Values in the world's rewards, [batch]."""
        return self.scales.value_mean + self.scales.value_deviation * self.judging(states)(actions)

    def to_document(self) -> dict[str, Any]:
        """Sizes, and the weights' little-endian float32 in base 64."""
        scales = {name: np.asarray(value).tolist() for name, value in vars(self.scales).items()}
        numbers = base64.b64encode(self.weights.astype("<f4").tobytes()).decode()
        return {"kind": "learned-critic", "sizes": list(self.sizes), "scales": scales, "weights": numbers}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> LearnedCritic:
        """The critic of what `to_document` gave, bit for bit."""
        told: dict[str, Any] = {
            name: np.array(value) if isinstance(value, list) else value for name, value in document["scales"].items()
        }
        weights = np.frombuffer(base64.b64decode(document["weights"]), dtype="<f4").astype(np.float32)
        return cls(Scales(**told), tuple(document["sizes"]), weights)

    @cached_property
    def _network(self) -> Mlp:
        network, flat = flat_network(self.sizes)
        flat.copy_(torch.from_numpy(self.weights.copy()))
        return network.eval().requires_grad_(False)

    def __getstate__(self) -> dict[str, Any]:
        """What it is made of."""
        return {name: getattr(self, name) for name in ("scales", "sizes", "weights")}


def flat_network(sizes: tuple[int, ...]) -> tuple[Mlp, Tensor]:
    """A network of rectified layers, and one vector that its weights are views of."""
    with torch.device("meta"):  # shapes alone: nothing is initialised, so nothing is drawn
        network = Mlp(sizes, "relu")
    parts = network.state_dict()
    flat = torch.zeros(sum(part.numel() for part in parts.values()))
    pieces = flat.split([part.numel() for part in parts.values()])
    views = {name: piece.view(part.shape) for (name, part), piece in zip(parts.items(), pieces, strict=True)}
    network.load_state_dict(views, assign=True)
    return network, flat


def _returns(seen: Transitions, discount: float) -> Floats:
    """Discounted sums of rewards up to the end of each episode or of what was collected, [steps, batch]."""
    found = seen.rewards.astype(np.float64).copy()
    onward = discount * ~seen.finished
    for step in range(len(found) - 2, -1, -1):
        found[step] += onward[step] * found[step + 1]
    return found
