"""Boxes through a run of layers and gradients back, each in one compiled call, a piece of the batch at a time.

With `c` and `r` the centre and radius of a layer's input and `d`, `e` the gradients in those of its output, the way
back is `d W` for the centre, `e |W|` for the radius, `d^T c + (e^T r) sign W` for the weight and the sum of `d` for the
bias. Widening for rounding has no derivative, but that it is a share of the reach (see `linear_ends`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from sparring_plugins.propagation.curves import ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.kernels.calling import ONE, address, register, run_kernels
from sparring_plugins.propagation.kernels.run_tables import (
    BIAS,
    COLUMNS,
    CURVE,
    INPUTS,
    KEPT,
    MORE,
    OUTPUTS,
    PACKED,
    PARTS,
    RELU,
    SIGMOID,
    SUM,
    TANH,
    TO_BIAS,
    TO_WEIGHT,
    WEIGHT,
)  # fmt: skip
from sparring_plugins.propagation.patience import patiently
from sparring_plugins.propagation.rounding import floor, share_of
from sparring_plugins.propagation.runs import Run, Step
from sparring_plugins.propagation.scratch import Loan, scratch
from sparring_plugins.propagation.spaces import apart, full

__all__ = ["LOOSE", "Kept", "Passage", "kept_of"]

KINDS = {ReLU: RELU, Tanh: TANH, Sigmoid: SIGMOID}
LOOSE = 4.0
"""Spacings by which the victim's values of an S-shaped curve and those here may be off in all."""

PLANS = 8
"""Sizes, types and batches of one run that are remembered."""

Parameters = Sequence[Tensor | None]


@dataclass(frozen=True, eq=False)
class _Plan:
    """Where in the work space, and among what is kept, everything lies; in numbers."""

    table: np.ndarray[Any, Any]
    shares: np.ndarray[Any, Any]
    part: int
    total: int
    room: int
    places: int
    """Whole numbers that a call needs beside."""

    @cached_property
    def shares_at(self) -> int:
        """Address of the shares."""
        return int(self.shares.ctypes.data)


_plans: WeakKeyDictionary[Run, dict[Any, _Plan]] = WeakKeyDictionary()


@dataclass(frozen=True)
class Kept:
    """What is kept for the way back, in numbers: where boxes behind each curve but the last lie, of how many."""

    places: list[int]
    room: int


def kept_of(run: Run, dtype: torch.dtype, batch: int, piece: int) -> Kept:
    """What is kept of so many samples."""
    plan = _plan_of(run, dtype, batch, max(1, min(piece, batch)))
    return Kept([int(place) for place in plan.table[:-1, KEPT]], plan.room)


def _plan_of(run: Run, dtype: torch.dtype, batch: int, piece: int) -> _Plan:
    """The plan for these samples, made once."""
    plans, key = _plans.setdefault(run, {}), (dtype, batch, piece)
    if key not in plans:
        if len(plans) >= PLANS:
            plans.clear()
        plans[key] = _plan(run, dtype, batch, piece)
    return plans[key]


def _plan(run: Run, dtype: torch.dtype, batch: int, piece: int) -> _Plan:
    lanes, sizes = register() // dtype.itemsize, run.sizes
    widest = max(apart(side, lanes) for shape in sizes for side in shape)
    table, shares, loose = np.zeros((len(sizes), COLUMNS), np.int64), np.zeros(len(sizes)), 0.0
    room, total = 0, PARTS * piece * widest + widest
    for place, (row, step, (m, n)) in enumerate(zip(table, run.steps, sizes, strict=True)):
        row[INPUTS:KEPT] = n, m, _kind(step), apart(n, lanes), apart(m, lanes)
        row[KEPT], row[PACKED] = room, total
        total += max(n * full(m, 2 * lanes), m * full(n, 2 * lanes))
        row[SUM] = total
        total += 2 * m * apart(n, lanes)
        room += 2 * batch * apart(m, lanes) if place < len(sizes) - 1 else 0
        shares[place] = share_of(n + 1, dtype, loose)
        loose = LOOSE * torch.finfo(dtype).eps if row[CURVE] > RELU else 0.0
    return _Plan(table, shares, piece * widest, total, room, widest + piece)


def _kind(step: Step) -> int:
    return 0 if step.curve is None else KINDS[type(step.curve)]


class Passage:
    """One batch of inputs and a run with its weights, there and back; boxes are kept as long as this is."""

    def __init__(self, run: Run, parameters: Parameters, center: Tensor, reach: Tensor, piece: int) -> None:
        """Memory is shared with what is given, and remains what it is where a tensor gets other memory.

        Args:
            run: of which all is in one dtype, on a processor.
            parameters: weight and bias of each step, in turn.
            center: of the input, [batch, inputs], contiguous.
            reach: see `ends`, likewise.
            piece: the most samples at a time.
        """
        parts = [None if part is None else part.detach().contiguous() for part in parameters]
        self._parts, self._center, self._reach, self._batch = parts, center.detach(), reach, center.shape[0]
        self._piece = max(1, min(piece, self._batch))
        self._plan = _plan_of(run, center.dtype, self._batch, self._piece)
        self._table = self._plan.table.copy()
        addresses = [0 if part is None else part.data_ptr() for part in parts]
        self._table[:, WEIGHT], self._table[:, BIAS] = addresses[::2], addresses[1::2]
        self._loan: Loan | None = None

    def there(self, keep: bool) -> Tensor:
        """Ends behind the last layer, or values of its curve there, [2, batch, outputs].

        Values are off by `LOOSE` spacings where the curve is S-shaped. With `keep` there may be a way back.
        """
        plan, found = self._plan, self._center.new_empty((2, self._batch, int(self._table[-1, OUTPUTS])))
        if keep:
            self._loan = Loan(plan.room * found.itemsize)
        self._run("there", found.data_ptr(), 0 if self._loan is None else self._loan.address, plan.room)
        return found

    def back(
        self, given: Sequence[Tensor], wanted: Sequence[bool], to_region: bool, more: Sequence[Tensor] = (),
        boxes: int | None = None,
    ) -> list[Tensor | None]:  # fmt: skip
        """Gradients in the corners of the input [2, batch, inputs], and in each weight and bias.

        Args:
            given: gradients in the ends behind the last layer, before its curve, [batch, outputs] each.
            wanted: for each parameter, whether it has a gradient.
            to_region: whether the corners have.
            more: such gradients behind the other layers that come from elsewhere, [2, batch, outputs] each, or none.
            boxes: address of boxes that were kept elsewhere (see `kept_of`), None for those of the way there.
        """
        found = [None if part is None or not want else torch.empty_like(part)
                 for part, want in zip(self._parts, wanted, strict=True)]  # fmt: skip
        to_both = self._center.new_empty((2, *self._center.shape)) if to_region else None
        addresses = [0 if part is None else part.data_ptr() for part in found]
        self._table[:, TO_WEIGHT], self._table[:, TO_BIAS] = addresses[::2], addresses[1::2]
        self._table[: len(more), MORE] = [part.data_ptr() for part in more]
        below, above = (part.contiguous() for part in given)
        if boxes is None:
            assert self._loan is not None
            boxes = self._loan.address
        self._run("back", below.data_ptr(), above.data_ptr(), boxes, self._plan.room, address(to_both))
        return [to_both, *found]

    def _run(self, kernel: str, *addresses: int) -> None:
        """Call it; what differs between both ways comes between the inputs and the work space."""
        plan, dtype = self._plan, self._center.dtype
        size = plan.total * dtype.itemsize
        space = scratch(size + 8 * plan.places)
        patiently(
            run_kernels()[kernel], dtype, self._table.ctypes.data, plan.shares_at, self._center.data_ptr(),
            self._reach.data_ptr(), *addresses, space, plan.total, plan.part, space + size, len(self._table) - 1,
            self._batch, self._piece, register(), floor(dtype), ONE[dtype],
        )  # fmt: skip
