"""Tables of graphs, by which a compiled call goes through them; see `programs`.

Linear layers, plain convolutions, sums, means and the curves that have compiled lines become steps; nodes that only
give values another shape vanish. The tables say how large each step is, what it takes, and where in the work space its
boxes, lines, rows and packed matrices lie; `kernels.tables` names their columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Conv, Linear, Reshaped, Sum
from sparring_plugins.propagation.curves import ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.curves.rounding import ULPS
from sparring_plugins.propagation.curves.tanh import SMALL
from sparring_plugins.propagation.enclosure import WIDE
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels import tables
from sparring_plugins.propagation.nodes import Affine, Elementwise, Input, Node
from sparring_plugins.propagation.reductions import Centred, Reduced
from sparring_plugins.propagation.rounding import floor, gamma, share_of, tiny, unsure_of
from sparring_plugins.propagation.spaces import Room, full

__all__ = ["BLOCK", "CHUNK", "Program", "program_of"]

Table = np.ndarray[Any, Any]
Weights = tuple[Callable[[], Tensor], Callable[[], Tensor | None], tuple[int, ...]]
CURVES = {ReLU: tables.RELU, Tanh: tables.TANH, Sigmoid: tables.SIGMOID}
AFFINE: dict[type[Node], int] = {
    Linear: tables.LINEAR, Sum: tables.SUM, Reduced: tables.MEAN, Centred: tables.CENTRED,
}  # fmt: skip
CHUNK = 24
"""Rows at a time, without their negatives: they and what they meet stay in a processor's nearest caches."""
FEW = 6
"""The same where steps are as wide as pictures."""
LARGEST = 1 << 26
"""Bytes of a work space; what needs more is no small network."""
BLOCK = 12
"""Samples at a time, where there are many: two tiles of rows, which share what they read of a matrix."""
TOGETHER = 144
"""Rows and their negatives, of a block of samples whose rows are gone back through: they fit in a cache."""


@dataclass(frozen=True, eq=False)
class Program:
    """Tables of one graph for blocks of so many samples."""

    table: Table
    parts: Table
    common: Table
    lines: Table
    weights: Sequence[Weights | None]
    total: int
    work: int
    cost: int
    """Multiplications of one sample on the way forward."""
    wide: torch.dtype
    tightens: bool
    """Whether inner steps can be bounded backward."""
    chunk: int
    """Rows at a time."""
    samples: int
    """Samples at a time."""

    @property
    def features(self) -> int:
        """Elements of the input."""
        return int(self.table[0, tables.SIZE])

    @cached_property
    def places(self) -> tuple[int, int, int, int]:
        """Addresses of the tables."""
        return self.table.ctypes.data, self.parts.ctypes.data, self.common.ctypes.data, self.lines.ctypes.data


PROGRAMS = 8
"""Of one graph that are remembered."""

_kept: WeakKeyDictionary[Graph, dict[tuple[bool, int | None], Program | None]] = WeakKeyDictionary()


def program_of(graph: Graph, dtype: torch.dtype, many: bool, chunk: int | None = None) -> Program | None:
    """The program of a graph, made once; None if it has none.

    Args:
        graph: for inputs of one type.
        dtype: that type.
        many: whether samples go in blocks.
        chunk: how many rows go at a time, and blocks are as small as suits those; None to have that chosen.
    """
    found, key = _kept.setdefault(graph, {}), (many, chunk)
    if key not in found:
        if len(found) >= PROGRAMS:
            found.clear()
        found[key] = _packed(graph, dtype, many, chunk)
    return found[key]


def _packed(graph: Graph, dtype: torch.dtype, many: bool, rows: int | None) -> Program | None:
    """Tables of a graph whose nodes all have steps."""
    nodes, sources = _flat(graph)
    found = [_kind(node) for node in nodes]
    kinds = [kind for kind in found if kind is not None]
    users = [[user for user, places in enumerate(sources) if place in places] for place in range(len(nodes))]
    if len(kinds) != len(nodes) or len(nodes) < 2 or not _fits(nodes, sources, users):
        return None
    if not all(math.prod(node.shape) for node in nodes):
        return None  # products begin with a first term
    table, parts = np.zeros((len(nodes), tables.COLUMNS), np.int64), np.zeros((len(nodes), 5))
    table[:, tables.KIND], table[:, tables.SIZE] = kinds, [math.prod(node.shape) for node in nodes]
    pictures = any(isinstance(node, Conv) for node in nodes)
    block = BLOCK if rows is None else max(2, min(BLOCK, TOGETHER // (2 * rows)))
    packing = _Packing(table, dtype, block if many and not pictures else 1)
    chunk = rows or (FEW if pictures else CHUNK)
    for place, node in enumerate(nodes):
        row, size = table[place], math.prod(node.shape)
        row[tables.FIRST : tables.FIRST + len(sources[place])] = sources[place]
        packing.step(row, chunk)
        if isinstance(node, Elementwise):
            row[tables.LINES] = packing.take(4 * packing.samples * size)
            parts[place, :2] = tiny(size + len(graph.nodes), dtype), gamma(size + len(graph.nodes), dtype)
            if row[tables.KIND] == tables.RELU and [kinds[user] for user in users[place]] == [tables.LINEAR]:
                packing.chosen(row, chunk)
        elif isinstance(node, Affine):
            curves = [user for user in users[place] if isinstance(nodes[user], Elementwise)]
            row[tables.UNSURE] = not curves
            if curves and sources[place] != (0,):
                row[tables.TIGHTENED] = 1 if kinds[curves[0]] == tables.RELU else 2
            parts[place] = _constants(node, dtype)
        if isinstance(node, Linear | Conv):
            packing.matrix(row, node)
    work, _ = packing.take(packing.widest), packing.take(6 * chunk)
    if packing.used * dtype.itemsize > LARGEST:
        return None
    wide = torch.float64 if table[0, tables.SIZE] > WIDE else dtype
    return Program(
        table, parts, _common(graph, dtype, wide), np.concatenate([np.zeros(0, np.int64), *packing.lines]),
        [_live(node) for node in nodes], packing.used, work,
        sum(math.prod(node.shape) * node.fan for node in nodes if isinstance(node, Linear | Conv)), wide,
        all(isinstance(node, Linear) for node, row in zip(nodes, table, strict=True) if row[tables.TIGHTENED]), chunk,
        packing.samples,
    )  # fmt: skip


class _Packing(Room):
    """Places in the work space, handed out one after the other, and those of the lines of matrices."""

    def __init__(self, table: Table, dtype: torch.dtype, samples: int) -> None:
        super().__init__()
        self.samples, self.widest, self.lines = samples, 0, list[Table]()
        self._table, self._lanes, self._counted = table, tables.LANES // dtype.itemsize, 0

    def step(self, row: Table, chunk: int) -> None:
        """What every step has."""
        size = int(row[tables.SIZE])
        row[tables.STEP] = full(size, self._lanes)
        row[tables.BOX] = self.take(3 * self.samples * size)
        row[tables.ROWS] = self.take(2 * chunk * int(row[tables.STEP]))
        row[tables.BIAS] = row[tables.PACKED] = row[tables.TURNED] = row[tables.CHOSEN] = -1
        self.widest = max(self.widest, 10 * self.samples * int(row[tables.STEP]))

    def chosen(self, row: Table, chunk: int) -> None:
        """What a ReLU has whose rows come from a linear step alone; its rows go on through another with a bias."""
        below = self._table[row[tables.FIRST]]
        if self.samples > 1 and below[tables.KIND] == tables.LINEAR and below[tables.BIAS] >= 0:
            row[tables.CHOSEN] = self.take((int(row[tables.SIZE]) + 1 + tables.MORE) * full(2 * chunk, self._lanes))

    def matrix(self, row: Table, node: Linear | Conv) -> None:
        """What layers with weights have beside."""
        if node.bias() is not None:
            row[tables.BIAS] = self.take(int(row[tables.SIZE]))
        there, back = self._convolution(row, node) if isinstance(node, Conv) else self._linear(row)
        row[tables.THERE], row[tables.BACK] = self._counted, self._counted + there.size
        self._counted += there.size + back.size
        self.lines += [there.ravel(), back.ravel()]

    def _linear(self, row: Table) -> tuple[Table, Table]:
        entry, size = self._table[row[tables.FIRST]], row[tables.SIZE]
        apart = entry[tables.SIZE]
        if apart != entry[tables.STEP]:
            apart, row[tables.PACKED] = entry[tables.STEP], self.take(int(size * entry[tables.STEP]))
        if self.samples > 1:
            row[tables.TURNED] = self.take(int(entry[tables.SIZE] * row[tables.STEP]))
            row[tables.NORMS] = self.take(int(size))
        return np.arange(entry[tables.SIZE]) * row[tables.STEP], np.arange(size) * apart

    def _convolution(self, row: Table, node: Conv) -> tuple[Table, Table]:
        """See `kernels.convolving`."""
        (filters, channels, *kernel), (_, *out), stride = node.weight().shape, node.shape, node.stride
        split = [-(-size // step) for size, step in zip(kernel, stride, strict=True)]
        high, wide = (size - 1 + part for size, part in zip(out, split, strict=True))
        phases = channels * math.prod(stride)
        row[tables.CHANNELS : tables.ASIDE + 1] = (*node.entry, filters, *out, *kernel, *stride, *node.padding)
        row[tables.PACKED] = self.take(node.weight().numel())
        row[tables.TURNED] = self.take(filters * math.prod(split) * phases)
        channel, y, x = np.ogrid[:channels, : kernel[0], : kernel[1]]
        plane = (channel * stride[0] + y % stride[0]) * stride[1] + x % stride[1]
        there = plane * (high * wide) + y // stride[0] * wide + x // stride[1]
        one, y, x = np.ogrid[:filters, : split[0], : split[1]]
        back = one * ((high + split[0] - 1) * wide) + (split[0] - 1 - y) * wide + split[1] - 1 - x
        forth = 3 * math.prod(node.entry) + phases * high * wide + wide + 3 * filters * full(out[0] * wide, self._lanes)
        return_ = filters * (high + split[0] - 1) * wide + split[1] + phases * full(high * wide, self._lanes)
        # With what is read beyond ends, and with sizes that are rounded up.
        self.widest = max(self.widest, max(forth, return_) + 4 * tables.LANES)
        return there, back


def _live(node: Node) -> Weights | None:
    """How the matrix or the filters of a node are fetched, its bias, and the shape of the former."""
    if isinstance(node, Conv):
        return node.weight, node.flat_bias, tuple(node.weight().shape)
    return (node.weight, node.bias, tuple(node.weight().shape)) if isinstance(node, Linear) else None


def _flat(graph: Graph) -> tuple[list[Node], list[tuple[int, ...]]]:
    """Nodes without those that only give values another shape, and the places of their inputs."""
    nodes, sources, places = list[Node](), list[tuple[int, ...]](), list[int]()
    for node in graph.nodes:
        if isinstance(node, Reshaped):
            places.append(places[node.inputs[0]])
            continue
        places.append(len(nodes))
        nodes.append(node)
        sources.append(tuple(places[source] for source in node.inputs))
    return nodes, sources


def _kind(node: Node) -> int | None:
    """What step does what a node does; None for none."""
    if isinstance(node, Elementwise):
        return CURVES.get(type(node.curve))
    if isinstance(node, Conv):
        return tables.CONVOLUTION if node.plain else None
    if isinstance(node, Input):
        return tables.INPUT
    if len(node.shape) != 1 or (isinstance(node, Reduced) and node.shape != (1,)):
        return None
    return AFFINE.get(type(node))


def _fits(nodes: Sequence[Node], sources: Sequence[tuple[int, ...]], users: Sequence[Sequence[int]]) -> bool:
    """Whether each curve stands alone on an affine node."""
    return all(
        not isinstance(node, Elementwise)
        or (isinstance(nodes[sources[place][0]], Affine) and users[sources[place][0]] == [place])
        for place, node in enumerate(nodes)
    )


def _constants(node: Affine, dtype: torch.dtype) -> tuple[float, ...]:
    """Shares of rounding, and factors."""
    share, least = share_of(node.fan, dtype, 0.0), tiny(node.terms + node.parts, dtype)
    if isinstance(node, Linear):
        return share, unsure_of(node.fan, node.back + node.parts, dtype), least, 0.0, 0.0
    if isinstance(node, Conv):
        return share, node.unsure(dtype), least, node.unsure_bias(dtype), 0.0
    factors = (float(node.divisor), 0.0) if isinstance(node, Reduced | Centred) else (0.0, 0.0)
    if isinstance(node, Sum):
        factors = float(node.signs[0]), float(node.signs[1])
    return share, node.unsure(dtype), least, *factors


def _common(graph: Graph, dtype: torch.dtype, wide: torch.dtype) -> Table:
    """Constants of a type, and those of `Enclosure`."""
    info, terms = torch.finfo(dtype), math.prod(graph.nodes[0].shape) + len(graph.nodes)
    return np.array([
        floor(dtype), 1.0 + 2.0 * info.eps, info.tiny, tiny(0, dtype), gamma(0, dtype), SMALL[dtype], info.eps,
        ULPS * info.eps, 0.0 if wide is dtype else info.eps, 2 * gamma(terms, wide), tiny(terms, wide),
    ])  # fmt: skip
