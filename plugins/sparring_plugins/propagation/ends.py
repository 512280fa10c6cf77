"""Both ends of boxes in one tensor: interval propagation in a handful of operations a node.

An affine map takes the box `[l, h]` with centre `c` and radius `r` to `W c + b -+ |W| r` (Gowal et al. 2018, section
3). Rounding widens it: with `s = |c| + r`, which no value of the box exceeds, the victim's sum errs by
`gamma (|W| s + |b|)`, and so do, together, the sums here of `W c + b` and of `|W| r`. All of it is a share `g` of
`|W| s + |b|`, so that one product gives the whole radius:

    |W| r + g (|W| s + |b|) = g (|W| (s + r / g) + |b|).

`s + r / g` is the `reach` below. What else rounds is a dozen half spacings of `|W| s + |b|` at most: `c` and `r` come
with three (`c - l` exceeds `r` by as much), the reach with three, the last multiplication and sum with four. `gamma`
leaves room for sixteen in `g` (`rounding.STEPS`, twice). `share_of` adds the product of two shares, which is how much
the product with the reach may fall short of its own rounding; and a `floor` under the sizes covers underflow.

A curve that errs by so many spacings of its own value leaves ends `t` to be moved by `loose |t|`: no further than
`loose s`, which is one more share. Since `t - loose |t|` rises with `t`, that holds for all of the box. What it errs by
beside, `off`, is `off / g` in the reach.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

from sparring_plugins.propagation.rounding import floor

__all__ = ["Ends", "widened"]


class Ends(NamedTuple):
    """Least and greatest value of each element, but for a relative error that is not in them yet."""

    both: Tensor
    """[2, batch, *shape]."""
    loose: float = 0.0
    """Values lie between `both[0] - loose |both[0]| - off` and `both[1] + loose |both[1]| + off`, but for underflow."""
    off: float = 0.0

    def tight(self) -> Ends:
        """With the error in the ends."""
        if self.loose == self.off == 0:
            return self
        # The product and the sums round as well.
        share = self.loose + 2 * torch.finfo(self.both.dtype).eps
        with torch.no_grad():
            size = self.both.abs().clamp_min_(floor(self.both.dtype)).add_(self.off / share)
        return Ends(torch.addcmul(self.both, _signs(share, size.dtype, size.device, size.dim()), size))


def widened(middle: Tensor, width: Tensor, share: float) -> Tensor:
    """`middle -+ share * width`, [2, batch, *shape]."""
    return torch.addcmul(middle, _signs(share, width.dtype, width.device, width.dim() + 1), width)


@cache
def _signs(share: float, dtype: torch.dtype, device: torch.device, dims: int) -> Tensor:
    with torch.inference_mode(False):
        return torch.tensor([-share, share], dtype=dtype, device=device).view(2, *[1] * (dims - 1))
