"""Graphs as programs that one compiled call runs from the region to the bounds, a sample after the other.

A bound of a small network is dozens of calls of torch, each of which takes longer than its arithmetic. Graphs of linear
layers, sums and the curves that have compiled lines are packed into tables here; `kernels.running` goes through them
with the formulas that the same nodes have elsewhere. Weights are read where they lie, so that a network in training is
bounded as it is. What a program is not for (other nodes or regions, derivatives, other devices) is left to the general
way.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Literal
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.affine import Conv, Linear, Reshaped, Sum
from sparring_plugins.propagation.curves import CHOICES, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.curves.rounding import ULPS
from sparring_plugins.propagation.curves.tangents import table_of
from sparring_plugins.propagation.curves.tanh import SMALL
from sparring_plugins.propagation.enclosure import WIDE
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels import tables
from sparring_plugins.propagation.kernels.calling import BITS, ONE, address
from sparring_plugins.propagation.nodes import Affine, Elementwise, Input, Node
from sparring_plugins.propagation.propagation import Inner
from sparring_plugins.propagation.reductions import Centred, Reduced
from sparring_plugins.propagation.rounding import floor, gamma, share_of, tiny, unsure_of

__all__ = ["bounds"]

Table = np.ndarray[Any, Any]
_Weights = tuple[Callable[[], Tensor], Callable[[], Tensor | None], tuple[int, ...]]
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
MODES = ("ibp", "crown", "boxes")
BLOCK = 6
"""Samples at a time; as many as rows of a tile."""
MANY = 16
"""Samples from which it pays to turn matrices round."""
SHARED = 1 << 24
"""Multiplications from which torch's threads, where there are several, are faster than one."""


@dataclass(frozen=True, eq=False)
class _Program:
    """Tables of one graph for blocks of so many samples."""

    table: Table
    parts: Table
    common: Table
    lines: Table
    weights: Sequence[_Weights | None]
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


_kept: WeakKeyDictionary[Graph, dict[bool, _Program | None]] = WeakKeyDictionary()


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
    program = _program(graph, center.dtype, batch >= MANY)
    if program is None or batch == 0 or (inner == "crown" and not program.tightens):
        return None
    if (batch >= MANY and inner != "ibp") or (inner == "boxes" and program.chunk == CHUNK):
        return None  # where a few calls of torch are as quick
    outputs = int(program.table[-1, tables.SIZE])
    count = outputs if spec is None else spec.shape[-2]
    if torch.get_num_threads() > 1 and 2 * count * program.cost * batch > SHARED:
        return None
    weights = _weights(program, center.dtype)
    if weights is None or not (spec is None or spec.dtype is center.dtype):
        return None
    low, high = (end.contiguous() for end in region.corners)
    spec = None if spec is None else spec.contiguous()
    found = center.new_empty((2, batch, count))
    addresses = np.array([[address(matrix), address(bias)] for matrix, bias in weights])
    wider = center.new_empty(2 * program.samples * program.features, dtype=program.wide)
    space = _work_space(program.total * center.itemsize)
    marks = np.zeros(2 * len(weights) + program.chunk, np.int64)
    _kernel().run(
        program.places[0], program.places[1], program.places[2], addresses.ctypes.data, _tangents(center.dtype)[1],
        low.data_ptr(), high.data_ptr(), address(spec), 1 if spec is None or spec.dim() == 2 else batch,
        found.data_ptr(), space, wider.data_ptr(), marks.ctypes.data, program.places[3], len(weights) - 1,
        batch, program.samples, count, program.chunk, program.total, program.work, MODES.index(inner),
        CHOICES.index(slope), _register(), ONE[center.dtype], BITS[center.dtype], ONE[program.wide],
    )  # fmt: skip
    below, above = found.unbind()
    return below, above


class _Kept(threading.local):
    """Memory of each thread, kept from call to call: to get some anew from the system would take half of the time."""

    space: Tensor | None = None


_kept_memory = _Kept()


def _work_space(size: int) -> int:
    """Address of so many bytes, which nobody else uses until this thread asks again."""
    space = _kept_memory.space
    if space is None or len(space) < size:
        with torch.inference_mode(False):
            space = _kept_memory.space = torch.empty(size, dtype=torch.uint8)
    return space.data_ptr()


@cache
def _kernel() -> Any:
    from sparring_plugins.propagation.kernels import running

    return running


@cache
def _register() -> int:
    from sparring_plugins.propagation.kernels.tiles import register

    return register()


@cache
def _tangents(dtype: torch.dtype) -> tuple[Any, int]:
    """Where the table of tangent points lies and how it is looked up, and the address of that."""
    table = table_of(dtype)
    look = (len(table.slopes), table.mask, table.nearest, table.farthest, table.shift)
    found = np.array([address(table.intercepts), address(table.slopes), *look])
    return found, found.ctypes.data


def _weights(program: _Program, dtype: torch.dtype) -> list[tuple[Tensor | None, Tensor | None]] | None:
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


def _program(graph: Graph, dtype: torch.dtype, many: bool) -> _Program | None:
    """The program of a graph, made once; None if it has none."""
    found = _kept.setdefault(graph, {})
    if many not in found:
        found[many] = _packed(graph, dtype, many)
    return found[many]


def _packed(graph: Graph, dtype: torch.dtype, many: bool) -> _Program | None:
    """Tables of a graph whose nodes all have steps."""
    nodes, sources = _flat(graph)
    found = [_kind(node) for node in nodes]
    kinds = [kind for kind in found if kind is not None]
    users = [[user for user, places in enumerate(sources) if place in places] for place in range(len(nodes))]
    if len(kinds) != len(nodes) or len(nodes) < 2 or not _fits(nodes, sources, users):
        return None
    table, parts = np.zeros((len(nodes), tables.COLUMNS), np.int64), np.zeros((len(nodes), 5))
    table[:, tables.KIND], table[:, tables.SIZE] = kinds, [math.prod(node.shape) for node in nodes]
    pictures = any(isinstance(node, Conv) for node in nodes)
    packing, chunk = _Packing(table, dtype, BLOCK if many and not pictures else 1), FEW if pictures else CHUNK
    for place, node in enumerate(nodes):
        row, size = table[place], math.prod(node.shape)
        row[tables.FIRST : tables.FIRST + len(sources[place])] = sources[place]
        packing.step(row, chunk)
        if isinstance(node, Elementwise):
            row[tables.LINES] = packing.take(4 * packing.samples * size)
            parts[place, :2] = tiny(size + len(graph.nodes), dtype), gamma(size + len(graph.nodes), dtype)
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
    return _Program(
        table, parts, _common(graph, dtype, wide), np.concatenate([np.zeros(0, np.int64), *packing.lines]),
        [_live(node) for node in nodes], packing.used, work,
        sum(math.prod(node.shape) * node.fan for node in nodes if isinstance(node, Linear | Conv)), wide,
        all(isinstance(node, Linear) for node, row in zip(nodes, table, strict=True) if row[tables.TIGHTENED]), chunk,
        packing.samples,
    )  # fmt: skip


class _Packing:
    """Places in the work space, handed out one after the other, and those of the lines of matrices."""

    def __init__(self, table: Table, dtype: torch.dtype, samples: int) -> None:
        self.samples, self.used, self.widest, self.lines = samples, 0, 0, list[Table]()
        self._table, self._lanes, self._counted = table, tables.LANES // dtype.itemsize, 0

    def take(self, size: int) -> int:
        """The first of so many numbers; full registers begin there."""
        start = self.used
        self.used += -(-size // tables.LANES) * tables.LANES
        return start

    def step(self, row: Table, chunk: int) -> None:
        """What every step has."""
        size = int(row[tables.SIZE])
        row[tables.STEP] = self._full(size)
        row[tables.BOX] = self.take(3 * self.samples * size)
        row[tables.ROWS] = self.take(2 * chunk * int(row[tables.STEP]))
        row[tables.BIAS] = row[tables.PACKED] = row[tables.TURNED] = -1
        self.widest = max(self.widest, 10 * self.samples * int(row[tables.STEP]))

    def matrix(self, row: Table, node: Linear | Conv) -> None:
        """What layers with weights have beside."""
        if node.bias() is not None:
            row[tables.BIAS] = self.take(int(row[tables.SIZE]))
        there, back = self._convolution(row, node) if isinstance(node, Conv) else self._linear(row)
        row[tables.THERE], row[tables.BACK] = self._counted, self._counted + there.size
        self._counted += there.size + back.size
        self.lines += [there.ravel(), back.ravel()]

    def _full(self, size: int) -> int:
        return -(-size // self._lanes) * self._lanes

    def _linear(self, row: Table) -> tuple[Table, Table]:
        entry, size = self._table[row[tables.FIRST]], row[tables.SIZE]
        apart = entry[tables.SIZE]
        if apart != entry[tables.STEP]:
            apart, row[tables.PACKED] = entry[tables.STEP], self.take(int(size * entry[tables.STEP]))
        if self.samples > 1:
            row[tables.TURNED] = self.take(int(entry[tables.SIZE] * row[tables.STEP]))
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
        forth = 3 * math.prod(node.entry) + phases * high * wide + wide + 3 * filters * self._full(out[0] * wide)
        return_ = filters * (high + split[0] - 1) * wide + split[1] + phases * self._full(high * wide)
        # With what is read beyond ends, and with sizes that are rounded up.
        self.widest = max(self.widest, max(forth, return_) + 4 * tables.LANES)
        return there, back


def _live(node: Node) -> _Weights | None:
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
