"""Number information sets so that a row of the payoff matrix touches columns that lie together.

Sequences that pay off against one another form blocks: in poker, all hands of both players at one public
history. Depth-first numbers follow one hand through the whole betting, so a row jumps from block to block;
numbering block by block puts a row's columns side by side, for either player.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from sparring.extensive.game import PlayerTree
from sparring_games.openspiel.leaves import Entries
from sparring_games.openspiel.walk import InfosetTable, Walk

__all__ = ["Numbered", "number_blocks"]

# A cap, not an accuracy: any labels give a valid order, and blocks settle within a few rounds.
_ROUNDS = 16
_NOWHERE = np.iinfo(np.uint32).max

Numbered = tuple[tuple[PlayerTree, PlayerTree], NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]
"""Both trees, then row [entries], column [entries] and payoff [2, entries], sorted by (row, column)."""


def number_blocks(walk: Walk) -> Numbered:
    """Renumber both players' information sets block by block and sort the entries; empties `walk`."""
    entries = walk.leaves.finish()
    row = (entries.key >> np.uint64(32)).astype(np.uint32)
    column = entries.key.astype(np.uint32)
    labels = _block_labels(row, column, walk.tables[0].sequences, walk.tables[1].sequences)
    first, rows = _tree(walk.tables[0], labels[0])
    second, columns = _tree(walk.tables[1], labels[1])
    row, column = rows[row], columns[column]
    return (first, second), *_sorted(row, column, entries)


def _sorted(
    row: NDArray[np.uint32], column: NDArray[np.uint32], entries: Entries
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.float64]]:
    key = row.astype(np.uint64) << np.uint64(32)
    key |= column
    order = np.argsort(key)
    del key
    payoff = np.empty((2, len(order)))
    for player, part in enumerate(entries.payoff):
        np.take(part, order, out=payoff[player])
    return row[order], column[order], payoff


def _block_labels(
    row: NDArray[np.uint32], column: NDArray[np.uint32], rows: int, columns: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Label each sequence with the first row of its block, [rows] and [columns].

    Blocks are connected components of "pays off against", found by passing the least label on. The
    empty sequences, which would tie unrelated blocks together, pass nothing on.
    """
    tied = np.flatnonzero((row > 0) & (column > 0))
    if len(tied) < len(row):
        row, column = row[tied], column[tied]
    of_row = np.arange(rows, dtype=np.uint32)
    of_column = np.full(columns, _NOWHERE, dtype=np.uint32)
    for _ in range(_ROUNDS):
        np.minimum.at(of_column, column, of_row[row])
        before = of_row.copy()
        np.minimum.at(of_row, row, of_column[column])
        if np.array_equal(before, of_row):
            break
    return of_row, of_column


def _tree(table: InfosetTable, label: NDArray[np.uint32]) -> tuple[PlayerTree, NDArray[np.uint32]]:
    """Build the renumbered tree; return it with the new number of each old sequence, [sequences]."""
    first = np.array(table.first, dtype=np.uint32)
    parent = np.array(table.parent, dtype=np.uint32)
    actions, moves = _moves(table)
    order = _infoset_order(first, parent, label)
    offset = np.ones(len(first) + 1, dtype=np.uint32)
    np.cumsum(moves[order], out=offset[1:])
    offset[1:] += 1
    renumbered = np.zeros(table.sequences, dtype=np.uint32)
    within = np.arange(1, table.sequences, dtype=np.uint32) - np.repeat(first, moves)
    begin = np.empty_like(first)
    begin[order] = offset[:-1]
    renumbered[1:] = np.repeat(begin, moves) + within
    action = np.empty(table.sequences, dtype=np.int64)
    action[0] = -1
    action[renumbered[1:]] = actions
    names = list(table.index)
    table.index.clear()
    infosets = tuple([names[at] for at in order.tolist()])
    return PlayerTree(infosets, offset, renumbered[parent[order]], action), renumbered


def _moves(table: InfosetTable) -> tuple[NDArray[np.int64], NDArray[np.uint32]]:
    """Return the actions of all sequences but the empty one, by old number, and how many each set has."""
    menus = list(table.menus)
    choice = np.array(table.choice, dtype=np.intp)
    sizes = np.array([len(menu) for menu in menus], dtype=np.uint32)
    flat = np.array([action for menu in menus for action in menu], dtype=np.int64)
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    moves = sizes[choice]
    run = np.cumsum(moves, dtype=np.int64) - moves
    at = np.arange(int(moves.sum()), dtype=np.int64) + np.repeat(starts[choice] - run, moves)
    return flat[at], moves


def _infoset_order(
    first: NDArray[np.uint32], parent: NDArray[np.uint32], label: NDArray[np.uint32]
) -> NDArray[np.intp]:
    """Sort information sets by (first block at or below them, own decisions before them, first visit).

    A parent's first block is no later than its child's and its depth is smaller: parents come first.
    """
    if len(first) == 0:
        return np.empty(0, dtype=np.intp)
    block = np.minimum.reduceat(label[1:], first.astype(np.intp) - 1)
    owner = np.searchsorted(first, parent, side="right").astype(np.intp) - 1  # -1: no decision before
    depth = _depths(owner)
    for level in range(int(depth.max()), 0, -1):
        here = np.flatnonzero(depth == level)
        np.minimum.at(block, owner[here], block[here])
    return np.lexsort((depth, block))


def _depths(owner: NDArray[np.intp]) -> NDArray[np.uint32]:
    """Count each information set's ancestors; `owner` is the nearest one, -1 for none."""
    depth = np.zeros(len(owner), dtype=np.uint32)
    above = owner.copy()
    below = np.flatnonzero(above >= 0)
    while len(below):
        depth[below] += 1
        above[below] = owner[above[below]]
        below = below[above[below] >= 0]
    return depth
