"""Memory for compiled calls, kept from one to the next: to get some anew from the system may take half of the time."""

from __future__ import annotations

import threading

import torch
from torch import Tensor

__all__ = ["scratch"]


class _Kept(threading.local):
    """Memory of each thread."""

    space: Tensor | None = None


_kept = _Kept()


def scratch(size: int) -> int:
    """Address of so many bytes, which nobody else uses until this thread asks again."""
    space = _kept.space
    if space is None or len(space) < size:
        with torch.inference_mode(False):
            space = _kept.space = torch.empty(size, dtype=torch.uint8)
    return space.data_ptr()
