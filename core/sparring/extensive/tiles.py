"""Sparse payoffs cut into tiles: a few neighbouring rows that share their columns.

A tile covers `height` consecutive rows, at most eight; each of its columns stores that many values one
after another, so the product needs one index and one vector operation a column (compressed rows whose
entries are `height` by 1 blocks). Poker-like games have dense blocks of private cards and fill such tiles;
where rows do not share columns the height is 1, which is plain compressed rows.

The vector operation always spans `LANES` values. Beyond a tile's own rows it reads values of the next
column and writes numbers without meaning to the next rows; tiles ascend and cover every row, those without
an entry by tiles without a column, so the next tile writes over them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LANES", "Tiles", "build_tiles"]

LANES = 8
"""Rows of the highest tile: the doubles of one cache line."""

WORTH_JOINING = 1.5
"""Rows are joined where that many non-zero values share a column on average."""

Integers = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Tiles:
    """A sparse matrix in tiles, in ascending order of rows; every row belongs to one tile."""

    row: NDArray[np.uint32]
    """First row of each tile, and the number of rows, [tiles + 1]; a tile has 1 to `LANES` rows."""
    start: NDArray[np.uint32]
    """First column entry of each tile, [tiles + 1]."""
    column: NDArray[np.uint32]
    """Columns, tile after tile, [start[-1]]."""
    value: NDArray[np.float64]
    """Values, column after column, height numbers each; behind the last, zeros up to where a vector reads."""

    def entries(self) -> Iterator[tuple[int, int, float]]:
        """Yield row, column and value of the non-zero entries, of each row in ascending order of columns."""
        begin = 0
        heights = np.diff(self.row).tolist()
        for tile, (first, height) in enumerate(zip(self.row[:-1].tolist(), heights, strict=True)):
            for column in self.column[self.start[tile] : self.start[tile + 1]].tolist():
                for row, value in enumerate(self.value[begin : begin + height].tolist(), start=first):
                    if value != 0.0:
                        yield row, column, value
                begin += height

    @property
    def reach(self) -> int:
        """The rows that the product writes to: up to the end of the last tile's vector."""
        return int(self.row[-2]) + LANES

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays."""
        return sum(array.nbytes for array in (self.row, self.start, self.column, self.value))


def build_tiles(row: Integers, column: Integers, value: NDArray[np.float64], group: Integers) -> Tiles:
    """Cut a sparse matrix into tiles.

    Args:
        row: row of each entry, [entries]; each pair (row, column) at most once.
        column: column of each entry, [entries].
        value: values, [entries].
        group: a number for each row, [rows]; a tile never joins rows of different groups.
    """
    columns = int(column.max(initial=0)) + 1
    used = np.zeros(len(group), dtype=bool)
    used[row] = True
    opens = _openings(used, group)
    tile = np.cumsum(opens) - 1
    entries = np.bincount(tile[row], minlength=tile[-1] + 1)
    shared = np.bincount(np.unique(tile[row] * columns + column) // columns, minlength=len(entries))
    opens |= (entries < WORTH_JOINING * shared)[tile]
    tile = np.cumsum(opens) - 1
    first = np.append(np.flatnonzero(opens), len(group))
    height = np.diff(first)
    slots, slot = np.unique(tile[row] * columns + column, return_inverse=True)
    owner = slots // columns
    begin = np.cumsum(height[owner]) - height[owner]
    values = np.zeros(int(height[owner].sum()) + LANES - int(height[owner[-1:]].sum()))
    values[begin[slot] + row - first[tile[row]]] = value
    return Tiles(
        row=first.astype(np.uint32),
        start=np.searchsorted(owner, np.arange(len(first))).astype(np.uint32),
        column=(slots % columns).astype(np.uint32),
        value=values,
    )


def _openings(used: NDArray[np.bool_], group: Integers) -> NDArray[np.bool_]:
    """Mark the rows that open a tile: a new group, the first with or without an entry, or a full tile before."""
    opens = np.ones(len(used), dtype=bool)
    opens[1:] = (np.diff(group) != 0) | (used[1:] != used[:-1])
    number = np.arange(len(used))
    return np.asarray((number - np.maximum.accumulate(np.where(opens, number, 0))) % LANES == 0)
