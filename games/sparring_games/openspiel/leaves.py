"""Payoffs of histories, gathered while a tree is walked: one entry for each pair of sequences.

Memory stays near the size of the result: histories wait in a buffer of fixed size, and entries that
belong to the same pair are added together whenever their number has doubled.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

__all__ = ["Entries", "LeafTable"]

_MERGE_AT = 1 << 18
_FAIR = 1e-12


@dataclass(frozen=True, eq=False)
class Entries:
    """Summed payoffs of sequence pairs, sorted by key, each key once."""

    key: NDArray[np.uint64]
    """Row in the upper 32 bits, column in the lower, [entries]."""
    payoff: tuple[NDArray[np.float64], NDArray[np.float64]]
    """Chance-weighted payoffs to each player, [entries] each."""

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays."""
        return self.key.nbytes + sum(part.nbytes for part in self.payoff)


@dataclass(eq=False)
class LeafTable:
    """Grows by histories: append to `row`, `column`, `chance` and both payoffs to `returns`, then `flush`."""

    row: array[int] = field(default_factory=lambda: array("I"))
    column: array[int] = field(default_factory=lambda: array("I"))
    chance: array[float] = field(default_factory=lambda: array("d"))
    returns: array[float] = field(default_factory=lambda: array("d"))
    least: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf))
    greatest: NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf))
    zero_sum: bool = True
    _chunks: list[Entries] = field(default_factory=list)
    _merged: int = 0

    @property
    def nbytes(self) -> int:
        """Bytes held, buffers left out."""
        return sum(chunk.nbytes for chunk in self._chunks)

    def flush(self) -> None:
        """Move the waiting histories into a sorted chunk; merge the chunks when they have doubled."""
        if not self.row:
            return
        paid = np.array(self.returns, dtype=np.float64).reshape(-1, 2)
        self._survey(paid)
        key = np.array(self.row, dtype=np.uint64) << np.uint64(32)
        key |= np.array(self.column, dtype=np.uint64)
        paid *= np.array(self.chance)[:, None]
        self._chunks.append(_summed(key, (paid[:, 0], paid[:, 1])))
        for waiting in (self.row, self.column, self.chance, self.returns):
            del waiting[:]
        if sum(len(chunk.key) for chunk in self._chunks) > max(_MERGE_AT, 2 * self._merged):
            self._merge()

    def finish(self) -> Entries:
        """Return all entries and leave the table empty."""
        self.flush()
        self._merge()
        return self._chunks.pop()

    def _survey(self, paid: NDArray[np.float64]) -> None:
        """Note the range of the payoffs `paid`, [histories, 2], and whether they cancel out."""
        if not np.isfinite(paid).all():
            raise ValueError("a history pays NaN or infinity")
        np.minimum(self.least, paid.min(axis=0), out=self.least)
        np.maximum(self.greatest, paid.max(axis=0), out=self.greatest)
        excess = np.abs(paid.sum(axis=1)).max()
        self.zero_sum = self.zero_sum and bool(excess <= _FAIR * max(1.0, np.abs(paid).max()))

    def _merge(self) -> None:
        chunks, self._chunks = self._chunks, []
        if len(chunks) > 1:
            chunks = [_joined(chunks)]
        self._chunks = chunks
        self._merged = len(chunks[0].key)


def _joined(chunks: list[Entries]) -> Entries:
    """Merge into one; empties `chunks` on the way, so that they and the result never stand side by side."""
    key = np.concatenate([chunk.key for chunk in chunks])
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = _starts(key)
    parts = [[chunk.payoff[player] for chunk in chunks] for player in (0, 1)]
    chunks.clear()
    key = key[starts]
    first = np.add.reduceat(np.concatenate(parts.pop(0))[order], starts)
    return Entries(key, (first, np.add.reduceat(np.concatenate(parts.pop())[order], starts)))


def _summed(key: NDArray[np.uint64], payoff: tuple[NDArray[np.float64], NDArray[np.float64]]) -> Entries:
    """Sort by key (stable, so that sums do not depend on the sort) and add up equal keys."""
    order = np.argsort(key, kind="stable")
    key = key[order]
    starts = _starts(key)
    first, second = (np.add.reduceat(part[order], starts) for part in payoff)
    return Entries(key[starts], (first, second))


def _starts(key: NDArray[np.uint64]) -> NDArray[np.intp]:
    """Return where each run of equal keys begins."""
    new = np.ones(len(key), dtype=bool)
    np.not_equal(key[1:], key[:-1], out=new[1:])
    return np.flatnonzero(new)
