"""One step of a recurrent network as a network of one input; imported only where torch is needed."""

from __future__ import annotations

from torch import Tensor, cat, nn

__all__ = ["JoinedStep"]


class JoinedStep(nn.Module):
    """From observations beside states to values, beside next states unless only the values are asked for."""

    def __init__(self, step: nn.Module, shape: tuple[int, ...], *, only_values: bool) -> None:
        """`shape` is that of one observation."""
        super().__init__()
        self.step, self.shape, self.only_values = step, shape, only_values
        self.features = 1
        for side in shape:
            self.features *= side
        self.train(step.training)

    def forward(self, joined: Tensor) -> Tensor:
        """[batch, features + width] to [batch, actions (+ width)]."""
        observation, state = joined[:, : self.features], joined[:, self.features :]
        if len(self.shape) != 1:
            observation = observation.reshape(-1, *self.shape)
        values, after = self.step(observation, state)
        return values if self.only_values else cat([values, after], dim=1)
