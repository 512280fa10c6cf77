"""Memory used again and again: to get some anew from the system may take half of the time."""

from __future__ import annotations

import threading
from functools import cache

import torch
from torch import Tensor

__all__ = ["Loan", "keep_memory", "scratch"]

KEPT = 1 << 25
"""Bytes that the process keeps at most of what tensors leave."""


class _Kept(threading.local):
    """Memory of each thread."""

    space: Tensor | None = None


_kept = _Kept()


def scratch(size: int) -> int:
    """Address of so many bytes, which nobody else uses until this thread asks again."""
    space = _kept.space
    if space is None or space.numel() < size:  # `len` of a tensor is five calls
        space = _kept.space = _new(size)
    return space.data_ptr()


@cache
def keep_memory() -> None:
    """Let the process keep what its tensors leave, from now on.

    The C library of Linux gives memory back as soon as twice the largest block is free that was taken from the system
    by itself and came back (mallopt(3), M_MMAP_THRESHOLD). With rows in blocks of one or two megabytes that is all of
    them each time, and to get them anew takes as long as all else. The larger block here is never written to.
    """
    _new(KEPT // 2)


SPARE = 4
"""Pieces of memory that wait for the next loan, of `MOST` bytes in all."""
MOST = 1 << 26
_spare: list[Tensor] = []


class Loan:
    """So many bytes for whoever holds this object; when it goes they are for the next one."""

    def __init__(self, size: int) -> None:
        try:
            space = _spare.pop()
        except IndexError:
            space = None
        self._space = space if space is not None and space.numel() >= size else _new(size)

    @property
    def address(self) -> int:
        """Where they lie."""
        return self._space.data_ptr()

    def __del__(self, spare: list[Tensor] = _spare) -> None:
        # Bound when the class was made: at the end of the process the module may be gone before its objects.
        if len(spare) < SPARE and self._space.numel() + sum(space.numel() for space in spare) <= MOST:
            spare.append(self._space)


def _new(size: int) -> Tensor:
    with torch.inference_mode(False):
        return torch.empty(size, dtype=torch.uint8)
