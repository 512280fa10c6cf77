"""What floating point costs, by dtype and device."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

__all__ = ["ULPS", "Rounding", "detached", "rounding"]

ULPS = 6.0
"""Spacings of the dtype (2.2e-16 or 1.2e-7 of the largest term) by which intercepts move outward.

The elementary functions of torch are right to one or two spacings, a product and a sum add half a spacing each, and
a slope that is off by its own rounding adds as much again.
"""


@dataclass(frozen=True, slots=True)
class Rounding:
    """Constants of one dtype on one device.

    The tensors have no dimensions: torch takes them up in half the time that it needs for a Python number, which is
    what small networks spend their time on.
    """

    eps: float  # distance from 1 to the next larger number
    slack: float  # ULPS * eps
    narrow: float  # cube root of eps: over a shorter relative width the slope at the midpoint is the chord's
    zero: Tensor
    half: Tensor
    one: Tensor
    tiny: Tensor  # smallest positive normal number
    up: Tensor  # 1 + 2 eps: lifts a product of two roundings above its true value
    huge: Tensor  # 2^100


@cache
def rounding(dtype: torch.dtype, device: torch.device) -> Rounding:
    """The constants of `dtype` on `device`, made once."""
    info = torch.finfo(dtype)

    def constant(value: float) -> Tensor:
        return torch.tensor(value, dtype=dtype, device=device)

    with torch.inference_mode(False):  # else the first caller's mode would follow the constants into training
        return Rounding(
            eps=info.eps,
            slack=ULPS * info.eps,
            narrow=info.eps ** (1 / 3),
            zero=constant(0.0),
            half=constant(0.5),
            one=constant(1.0),
            tiny=constant(info.tiny),
            up=constant(1.0 + 2.0 * info.eps),
            huge=constant(2.0**100),
        )


def detached(x: Tensor) -> Tensor:
    """`x` without its history; free of charge where there is none."""
    return x.detach() if x.requires_grad else x
