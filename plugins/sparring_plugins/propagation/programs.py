"""Graphs as programs that one compiled call runs from the region to the bounds, a sample after the other.

A bound of a small network is dozens of calls of torch, each of which takes longer than its arithmetic. Graphs of linear
layers, sums and the curves that have compiled lines are packed into tables here; `kernels.running` goes through them
with the formulas that the same nodes have elsewhere. Weights are read where they lie, so that a network in training is
bounded as it is. What a program is not for (other nodes or regions, derivatives, other devices) is left to the general
way.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.curves import CHOICES
from sparring_plugins.propagation.curves.tangents import table_of
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels import tables
from sparring_plugins.propagation.kernels.calling import BITS, ONE, address, alone, register
from sparring_plugins.propagation.packing import CHUNK, Program, program_of
from sparring_plugins.propagation.patience import patiently
from sparring_plugins.propagation.propagation import Inner
from sparring_plugins.propagation.scratch import scratch
from sparring_plugins.propagation.spaces import full

__all__ = ["Keeping", "addresses_of", "bounds", "ends_of", "ran", "tangents_of"]

MODES = ("ibp", "crown", "boxes")
MANY = 16
"""Samples from which it pays to turn matrices round."""


def bounds(
    graph: Graph, region: Region, spec: Tensor | None, inner: Inner | Literal["boxes"], slope: str
) -> tuple[Tensor, Tensor] | None:
    """What `Propagation.bounds` gives, or `Boxes.bounds` for "boxes" and no specification, [batch, rows] each.

    None where no program is for this graph, region or state of torch.
    """
    center = region.center
    batch = center.shape[0]
    if torch.is_grad_enabled() or region.norm != "inf" or not center.is_cpu or center.dtype not in ONE:
        return None
    program = program_of(graph, center.dtype, batch >= MANY)
    if program is None or batch == 0 or (inner == "crown" and not program.tightens):
        return None
    if (batch >= MANY and inner == "crown") or (inner == "boxes" and program.chunk == CHUNK):
        return None  # where a few calls of torch are as quick
    outputs = int(program.table[-1, tables.SIZE])
    count = outputs if spec is None else spec.shape[-2]
    if not alone(2 * count * program.cost * batch):
        return None
    weights = _weights(program, center.dtype)
    if weights is None or not (spec is None or (spec.dtype is center.dtype and spec.shape[-1] == outputs)):
        return None
    below, above = ran(program, weights, region, spec, inner, slope).unbind()
    return below, above


class Keeping(NamedTuple):
    """A table that says where what is wanted later goes, and the memory for it and for the work space."""

    table: np.ndarray[Any, Any]
    address: int
    room: int
    """Numbers in all."""


def ran(
    program: Program, weights: Sequence[tuple[Tensor | None, Tensor | None]], region: Region, spec: Tensor | None,
    inner: Inner | Literal["boxes"], slope: str, keeping: Keeping | None = None,
) -> Tensor:  # fmt: skip
    """Run a program: bounds [2, batch, rows].

    Args:
        program: one that is for the region and what is wanted.
        weights: matrix and bias of each of its steps, contiguous.
        region: of norm "inf", on a processor.
        spec: [batch, rows, outputs] or [rows, outputs], or None for the outputs.
        inner: see `bounds`.
        slope: likewise.
        keeping: what is to be kept, if anything is; the table is written to.
    """
    center, (low, high, radius) = region.center, ends_of(region)
    batch = center.shape[0]
    spec = None if spec is None else spec.contiguous()
    count = int(program.table[-1, tables.SIZE]) if spec is None else spec.shape[-2]
    found, addresses = center.new_empty((2, batch, count)), addresses_of(weights)
    boxes = 2 * program.samples * program.features * program.wide.itemsize
    marks = full(boxes + 8 * (2 * len(weights) + program.chunk), tables.LANES)
    table, room = program.places[0], program.total
    wider = scratch(marks + (program.total * center.itemsize if keeping is None else 0))
    space = wider + marks
    if keeping is not None:
        table, space, room = keeping.table.ctypes.data, keeping.address, keeping.room
    arguments = (
        table, program.places[1], program.places[2], addresses.ctypes.data, tangents_of(center.dtype)[1],
        low.data_ptr(), address(high), radius, address(spec), 1 if spec is None or spec.dim() == 2 else batch,
        found.data_ptr(), space, wider, wider + boxes, program.places[3], len(weights) - 1,
        batch, program.samples, count, program.chunk, program.total, room, program.work, MODES.index(inner),
        CHOICES.index(slope), register(), ONE[center.dtype], BITS[center.dtype], ONE[program.wide],
    )  # fmt: skip
    patiently(_kernel().run, (center.dtype, program.wide), *arguments)
    return found


def addresses_of(weights: Sequence[tuple[Tensor | None, Tensor | None]]) -> np.ndarray[Any, Any]:
    """[steps, 2]; 0 for none."""
    return np.array([
        (0 if matrix is None else matrix.data_ptr(), 0 if bias is None else bias.data_ptr()) for matrix, bias in weights
    ])  # fmt: skip


def ends_of(region: Region) -> tuple[Tensor, Tensor | None, float]:
    """Corners; of a ball with one radius that no domain clips the centre, None, and the radius."""
    ball = region.whole_ball
    if ball is not None and isinstance(ball[1], float):
        return ball[0].contiguous(), None, ball[1]
    low, high = region.corners
    return low.contiguous(), high.contiguous(), 0.0


@cache
def _kernel() -> Any:
    from sparring_plugins.propagation.kernels import running

    return running


@cache
def tangents_of(dtype: torch.dtype) -> tuple[Any, int]:
    """Where the table of tangent points lies and how it is looked up, and the address of that."""
    table = table_of(dtype)
    look = (len(table.slopes), table.mask, table.nearest, table.farthest, table.shift)
    found = np.array([address(table.intercepts), address(table.slopes), *look])
    return found, found.ctypes.data


def _weights(program: Program, dtype: torch.dtype) -> list[tuple[Tensor | None, Tensor | None]] | None:
    """Today's matrices and biases; None where one is no longer what the program was made for."""
    found: list[tuple[Tensor | None, Tensor | None]] = []
    for live in program.weights:
        if live is None:
            found.append((None, None))
            continue
        matrix, bias = live[0]().contiguous(), live[1]()
        if matrix.shape != live[2] or matrix.dtype is not dtype:
            return None
        if bias is not None:
            if bias.shape != live[2][:1] or bias.dtype is not dtype:
                return None
            bias = bias.contiguous()
        found.append((matrix, bias))
    return found
