"""Where a run's program keeps what its way back needs; see `kernels.running` and `kernels.rows_back`.

Behind the work space come boxes before each curve, with the errors there, a block of samples after the other; rows that
come to each curve and to the input, a sample after the other; and boxes behind curves as `passing` keeps them. Rows at
the last curve are those of the last layer, the same for all samples, unless a specification comes first.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch

from sparring_plugins.propagation.kernels import tables
from sparring_plugins.propagation.kernels.calling import register
from sparring_plugins.propagation.packing import Program
from sparring_plugins.propagation.passing import Kept
from sparring_plugins.propagation.spaces import Room, apart, full

__all__ = ["RowPlan", "plan_of"]

Table = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class RowPlan:
    """A program's table with what is kept, of a batch and so many rows and their negatives."""

    table: Table
    areas: Table
    """In the work space gradients in rows begin, moved rows, gradients in lines and in ends, and lines so far apart."""
    panels: Table
    """Where the lines of a panel begin."""
    depths: Table
    """Where lines of rows begin, for sums over them."""
    behind: int
    """Where the boxes behind curves are kept."""
    room: int
    """Numbers in all."""


PLANS = 8
"""Batches and numbers of rows of one program that are remembered."""

_plans: WeakKeyDictionary[Program, dict[Any, RowPlan]] = WeakKeyDictionary()


def plan_of(program: Program, dtype: torch.dtype, kept: Kept, batch: int, count: int, shared: bool) -> RowPlan:
    """The plan for bounds of rows [batch, count] and their negatives, made once.

    Args:
        program: of a run, for as many rows at a time.
        dtype: of its numbers.
        kept: boxes behind curves, of as many samples.
        batch: samples.
        count: rows without their negatives.
        shared: whether they are those of the last layer.
    """
    plans, key = _plans.setdefault(program, {}), (dtype, batch, count, shared)
    if key not in plans:
        if len(plans) >= PLANS:
            plans.clear()
        plans[key] = _plan(program, register() // dtype.itemsize, kept, batch, 2 * count, shared)
    return plans[key]


def _plan(program: Program, lanes: int, kept: Kept, batch: int, count: int, shared: bool) -> RowPlan:
    table, room, block = program.table.copy(), Room(program.total), program.samples
    sizes, top = [int(size) for size in table[:, tables.SIZE]], len(table) - 2
    table[:, tables.APART] = [apart(size, lanes) for size in sizes]
    table[:, tables.CHOSEN] = -1  # rows are kept as they lie
    widest, depths = max(sizes[: top + 1]), [np.zeros(0, np.int64)]
    lines = max(table[: top + 1, tables.APART])
    areas = [room.take(block * count * int(lines)) for _ in range(2)]
    areas += [room.take(4 * block * widest), room.take(2 * block * widest), room.take(3 * int(lines)), int(lines)]
    for step in range(1, top, 2):
        _layer(table[step], table[step - 1], lanes, room, block * count, depths)
        table[step, tables.BOX_ON] = 3 * block * sizes[step]
        table[step, tables.BOX] = room.take(-(-batch // block) * 3 * block * sizes[step])
    for step in range(0, top if shared else top + 1, 2):
        table[step, tables.ROWS_ON] = count * table[step, tables.STEP]
        table[step, tables.ROWS] = room.take(batch * int(table[step, tables.ROWS_ON]))
    behind = room.take(kept.room)
    table[2:top:2, tables.BEHIND] = [behind + place for place in kept.places]
    panels = np.arange(widest) * 2 * lanes
    return RowPlan(table, np.array(areas), panels, np.concatenate(depths), behind, room.used)


def _layer(row: Table, source: Table, lanes: int, room: Room, rows: int, depths: list[Table]) -> None:
    """Room for a linear step's matrix and its gradient, which is summed with whichever side fills registers better."""
    m, n = int(row[tables.SIZE]), int(source[tables.SIZE])
    straight, across = m * full(n, lanes), n * full(m, lanes)
    row[tables.ACROSS] = across < straight
    row[tables.SUMS], row[tables.PANELS] = room.take(min(straight, across)), room.take(n * full(m, 2 * lanes))
    row[tables.DEPTHS] = sum(map(len, depths))
    depths.append(np.arange(rows) * (row if across < straight else source)[tables.APART])
