"""GELU, exact and by a tanh, and SiLU."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .swinging import Swinging

__all__ = ["GELU", "SiLU", "TanhGELU"]

_STRAIGHT = 30.0  # beyond, a GELU is 0 or x in any precision


class SiLU(Swinging):
    """`x * sigmoid(x)`."""

    least_at = -1.2784645427610738

    def value(self, x: Tensor) -> Tensor:
        """`silu`."""
        return F.silu(x)

    def slope(self, x: Tensor) -> Tensor:
        """The derivative."""
        share = torch.sigmoid(x)
        return share * (1.0 + x * (1.0 - share))


class GELU(Swinging):
    """`x * Phi(x)`, with the normal distribution function."""

    least_at = -0.7517915246935645

    def value(self, x: Tensor) -> Tensor:
        """`gelu`."""
        return F.gelu(x)

    def at(self, x: Tensor) -> Tensor:
        """Beyond 30 either 0 or `x`: there the gradients of torch may be no numbers."""
        return self.value(x.clamp(-_STRAIGHT, _STRAIGHT)) + torch.relu(x - _STRAIGHT)

    def slope(self, x: Tensor) -> Tensor:
        """`Phi(x) + x phi(x)`."""
        x = x.clamp(-_STRAIGHT, _STRAIGHT)
        density = torch.exp(x * x * -0.5) * (1.0 / math.sqrt(2.0 * math.pi))
        return torch.addcmul(torch.special.ndtr(x), x, density)


class TanhGELU(GELU):
    """The other GELU of torch, `approximate="tanh"`: a fit of the distribution function by a tanh."""

    least_at = -0.7524614220710163

    def value(self, x: Tensor) -> Tensor:
        """`gelu` with `approximate="tanh"`."""
        return F.gelu(x, approximate="tanh")

    def slope(self, x: Tensor) -> Tensor:
        """The derivative of `x (1 + tanh(q)) / 2` with `q = scale (x + cubic x^3)`."""
        x = x.clamp(-_STRAIGHT, _STRAIGHT)
        scale, cubic = math.sqrt(2.0 / math.pi), 0.044715
        square = x * x
        tanh = torch.tanh(x * (scale + scale * cubic * square))
        return 0.5 + 0.5 * tanh + x * (1.0 - tanh * tanh) * (0.5 * scale + 1.5 * scale * cubic * square)
