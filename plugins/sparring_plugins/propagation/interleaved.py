"""Pictures put together from their places between two strides: the end of a transposed convolution."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_plugins.propagation.kernels.calling import ONE, picture_kernels, serves

__all__ = ["together"]


def together(split: Tensor, step: int, before: Sequence[int], sides: Sequence[int]) -> Tensor:
    """Pictures [count, channels, *sides] of `split` [count, channels * step * step, tall, broad], zero beyond those.

    Of the whole, `before` lines and columns are left out.
    """
    high, wide = sides
    if not serves(split, split.numel()) or (torch.is_grad_enabled() and split.requires_grad):
        return _together(split, step, before, sides)
    parts = split.contiguous()
    count, channels, (tall, broad) = len(parts), parts.shape[1] // (step * step), parts.shape[2:]
    found = parts.new_empty((count, channels, high, wide))
    picture_kernels().pictures(
        parts.data_ptr(), found.data_ptr(), count * channels, step, tall, broad, *before, high, wide, parts.itemsize,
        ONE[parts.dtype],
    )  # fmt: skip
    return found


def _together(split: Tensor, step: int, before: Sequence[int], sides: Sequence[int]) -> Tensor:
    # As `pixel_shuffle`, which takes twice as long.
    whole = split.unflatten(1, (-1, step, step)).permute(0, 1, 4, 2, 5, 3).flatten(4).flatten(2, 3)
    ends = [(-out, side + out - size) for size, side, out in zip(whole.shape[2:], sides, before, strict=True)]
    crops = [end for pair in reversed(ends) for end in pair]
    return F.pad(whole, crops) if any(crops) else whole
