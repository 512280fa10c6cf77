"""What stands before and after a policy's own layers; imported only where torch is needed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sparring_plugins.networks.normaliser import Normaliser

__all__ = ["Normalise", "Rescale", "Step"]


class Normalise(nn.Module):
    """A frozen normalisation as a module, in the type of its input's numbers."""

    mean: Tensor
    deviation: Tensor

    def __init__(self, normaliser: Normaliser) -> None:
        """Take over mean, deviation and clip, in float64."""
        super().__init__()
        self.register_buffer("mean", torch.tensor(normaliser.mean))
        self.register_buffer("deviation", torch.tensor(normaliser.deviation))
        self.clip = normaliser.clip

    def forward(self, observation: Tensor) -> Tensor:
        """[batch, *observation] to the same shape."""
        scaled = (observation - self.mean) / self.deviation
        return scaled if self.clip is None else torch.clamp(scaled, -self.clip, self.clip)


class Rescale(nn.Module):
    """From [-1, 1] to an action space: `middle + reach * x`."""

    middle: Tensor
    reach: Tensor

    def __init__(self, low: Tensor, high: Tensor) -> None:
        """Limits of the actions, [*action]."""
        super().__init__()
        self.register_buffer("middle", (low + high) / 2)
        self.register_buffer("reach", (high - low) / 2)

    def forward(self, outputs: Tensor) -> Tensor:
        """[batch, *action] to the same shape."""
        return outputs * self.reach + self.middle


class Step(nn.Module):
    """One step of a recurrent policy: normalisation, network and rescaling, with the state in and out."""

    def __init__(self, before: nn.Module, network: nn.Module, after: nn.Module) -> None:
        """The three parts."""
        super().__init__()
        self.before, self.network, self.after = before, network, after

    def forward(self, observation: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, *observation] and [batch, width] to [batch, outputs] and the next state."""
        outputs, following = self.network(self.before(observation), state)
        return self.after(outputs), following
