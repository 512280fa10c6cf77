"""The clipped objective of PPO and the value loss, as gradients in closed form."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["policy_slope", "value_slope"]


def policy_slope(log_ratio: Tensor, advantages: Tensor, clip: float) -> Tensor:
    """Gradient of `-mean(min(r A, clip(r, 1 - c, 1 + c) A))` in the log-probabilities (Schulman et al. 2017, eq 7).

    It is `-r A / batch`, and 0 where the ratio has already gone further than `clip` in the direction that A asks for.

    Args:
        log_ratio: log-probability now less that at collection, [batch].
        advantages: [batch].
        clip: c.
    """
    ratio = log_ratio.exp()
    inside = (ratio - 1.0).mul_(advantages.sign()) <= clip
    return ratio.mul_(advantages).mul_(inside).mul_(-1.0 / len(ratio))


def value_slope(values: Tensor, before: Tensor, targets: Tensor, weight: float, clip: float | None) -> Tensor:
    """Gradient of `weight * mean((v - target)^2) / 2` in the values, [batch].

    With a clip c it is that of the greater of the loss at v and at `before + clip(v - before, -c, c)`.
    """
    error = values - targets
    slope = error * (weight / len(values))
    if clip is None:
        return slope
    held = before + (values - before).clamp_(-clip, clip) - targets
    return torch.where(error.square() >= held.square(), slope, torch.zeros_like(slope))
