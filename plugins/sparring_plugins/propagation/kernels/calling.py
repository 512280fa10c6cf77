"""When compiled loops serve, and how tensors are handed to them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

__all__ = [
    "BITS",
    "ONE",
    "address",
    "alone",
    "box_kernels",
    "line_kernels",
    "plainly",
    "register",
    "row_kernels",
    "run_kernels",
    "serves",
]

THREADS = 8
"""With more of them torch's own operations are faster where tensors are large."""
GRAIN = 1 << 15
"""Elements from which torch shares an operation out between threads."""

ONE: dict[torch.dtype, Any] = {torch.float32: np.float32(1), torch.float64: np.float64(1)}
"""By which a kernel knows the type of the numbers at an address."""
BITS: dict[torch.dtype, Any] = {torch.float32: np.int32(0), torch.float64: np.int64(0)}
"""Whole numbers as wide."""


ALONE = 2
"""Threads of torch up to which one compiled call, which has a single one, is faster than its operations."""
SHARED = 1 << 24
"""Multiplications from which more of them are."""


def alone(work: int) -> bool:
    """Whether so many multiplications are best left to one thread."""
    return work <= SHARED or torch.get_num_threads() <= ALONE


class _Way(threading.local):
    """What each thread does with."""

    plain = False


_way = _Way()


@contextmanager
def plainly() -> Iterator[None]:
    """Do without compiled loops: gradients of what they give have no gradients themselves."""
    before, _way.plain = _way.plain, True
    try:
        yield
    finally:
        _way.plain = before


def serves(like: Tensor, work: int) -> bool:
    """Whether compiled loops are for tensors like this one, with so many elements to pass over."""
    if _way.plain:
        return False
    return like.device.type == "cpu" and (work < GRAIN or torch.get_num_threads() <= THREADS)


@cache
def box_kernels() -> Any:
    """The compiled loops over boxes."""
    from sparring_plugins.propagation.kernels import boxes

    return boxes


@cache
def picture_kernels() -> Any:
    """The compiled loops over pictures."""
    from sparring_plugins.propagation.kernels import interleaving

    return interleaving


@cache
def row_kernels() -> Any:
    """The compiled loops over rows; importing numba takes as long as many bounds."""
    from sparring_plugins.propagation.kernels import moving

    return moving


@cache
def line_kernels() -> Any:
    """The compiled loops over intervals."""
    from sparring_plugins.propagation.kernels import lines

    return lines


@cache
def run_kernels() -> dict[str, Any]:
    """The compiled calls that go through runs of layers, by name."""
    from sparring_plugins.propagation.kernels import rows_back, run_back, run_there

    return {"there": run_there.there, "back": run_back.way_back, "rows": rows_back.rows_back}


@cache
def register() -> int:
    """Bytes of a register of this processor."""
    from sparring_plugins.propagation.kernels import tiles

    found: int = tiles.register()
    return found


def address(values: Tensor | float | None) -> int:
    """Where a tensor lies, 0 for none."""
    return values.data_ptr() if isinstance(values, Tensor) else 0
