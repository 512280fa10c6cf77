"""One step of a recurrent network as a network of one input; imported only where torch is needed."""

from __future__ import annotations

from torch import Tensor, cat, maximum, nn

from sparring.bounds import Region

__all__ = ["JoinedStep", "joined_region"]


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


def joined_region(seen: Region, state: Tensor, low: Tensor, high: Tensor) -> Region:
    """Observations beside states, [batch, features + width], as a box.

    Args:
        seen: where each observation may lie.
        state: without attack, [batch, width].
        low: least state that an attack may have left, [batch, width].
        high: greatest such state, [batch, width].
    """
    sides = zip((seen.center, *seen.corners), (state, low, high), strict=True)
    center, least, most = (cat([part.flatten(1), beside.to(part)], dim=1) for part, beside in sides)
    return Region(center, 2 * maximum((center - least).abs(), (most - center).abs()), "inf", low=least, high=most)
