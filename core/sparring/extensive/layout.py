"""How a compiled game lies in memory while a duel is computed on it.

The public order of sequences is the game's. Inside, the sequences of each player are reordered so that
every pass is a short straight loop:

- information sets of the same depth and the same number of actions form a *run*; within a run the
  sequences are action-major, so `count` information sets are handled side by side;
- information sets that meet the same opponent sequences are neighbours, so that the payoff rows of eight
  neighbouring sequences share their columns and fill a tile (see `tiles.py`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from sparring.extensive.game import ExtensiveGame, PlayerTree
from sparring.extensive.tiles import Tiles, build_tiles

__all__ = ["DuelLayout", "SideLayout", "action_counts"]

Indices = NDArray[np.uint32]
Integers = NDArray[np.int64]
UNMET = np.iinfo(np.int64).max
"""Block number of a sequence that ends no history."""


@dataclass(frozen=True, eq=False)
class SideLayout:
    """One player's sequences in inner order (0 stays the empty sequence), ready for the kernels."""

    tree: PlayerTree
    order: Indices
    """The game's sequence at each inner place, [sequences]."""
    above: Indices
    """Inner place of the player's own sequence before each sequence, [sequences]; 0 for the empty one."""
    runs: Indices
    """First sequence, count of information sets and actions of each run, [runs, 3], parents first.

    Action `j` of the run's information set `c` is the sequence `first + j * count + c`.
    """
    tiles: Tiles
    """The victim's payoff with this player's sequences as rows, the opponent's as columns."""


@dataclass(frozen=True, eq=False)
class DuelLayout:
    """A game seen from one victim seat; payoffs are the victim's, zero entries are dropped."""

    game: ExtensiveGame
    victim_player: int
    victim: SideLayout
    attacker: SideLayout
    entries: int
    """Pairs of sequences with a payoff to the victim."""

    @classmethod
    def build(cls, game: ExtensiveGame, victim_player: int) -> DuelLayout:
        """Lay out `game` for a victim in seat `victim_player` (0 or 1)."""
        kept = game.payoff[victim_player] != 0
        pairs = (game.row[kept].astype(np.int64), game.column[kept].astype(np.int64))
        payoff = game.payoff[victim_player][kept]
        blocks = _blocks(pairs, (game.trees[0].sequences, game.trees[1].sequences))
        orders = [_Order.of(game.trees[seat], blocks[seat]) for seat in (0, 1)]
        inner = [orders[seat].place[pairs[seat]] for seat in (0, 1)]
        sides = []
        for seat in (0, 1):
            groups = blocks[seat][orders[seat].order]
            tiles = build_tiles(inner[seat], inner[1 - seat], payoff, groups)
            sides.append(orders[seat].side(game.trees[seat], tiles))
        return cls(game, victim_player, sides[victim_player], sides[1 - victim_player], len(payoff))

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays that the layout adds to the game."""
        total = 0
        for side in (self.victim, self.attacker):
            arrays = [side.order, side.above, side.runs]
            total += sum(array.nbytes for array in arrays) + side.tiles.nbytes
        return total


def _blocks(pairs: tuple[Integers, Integers], sizes: tuple[int, int]) -> tuple[Integers, Integers]:
    """Number the connected blocks of the payoff matrix; one number a sequence, for each player."""
    total = sizes[0] + sizes[1]
    ones = np.ones(len(pairs[0]), dtype=np.int8)
    links = coo_array((ones, (pairs[0], pairs[1] + sizes[0])), shape=(total, total))
    block = connected_components(links, directed=False)[1].astype(np.int64)
    met = np.zeros(total, dtype=bool)
    met[pairs[0]] = True
    met[pairs[1] + sizes[0]] = True
    block[~met] = UNMET
    return block[: sizes[0]], block[sizes[0] :]


def action_counts(tree: PlayerTree) -> Integers:
    """Number of actions at each information set, [infosets]."""
    return np.diff(tree.offset.astype(np.int64)).astype(np.int64)


def _levels(tree: PlayerTree) -> Integers:
    """Depth of each information set in its player's own tree, [infosets]."""
    actions = action_counts(tree)
    level = np.zeros(len(actions), dtype=np.int64)
    reached = np.zeros(tree.sequences, dtype=np.int64)
    parent, offset = tree.parent.tolist(), tree.offset.tolist()
    for infoset, above in enumerate(parent):
        level[infoset] = reached[above]
        reached[offset[infoset] : offset[infoset + 1]] = level[infoset] + 1
    return level


@dataclass(frozen=True, eq=False)
class _Order:
    """The inner order of one player's sequences."""

    order: Integers
    place: Integers
    """Inner place of each of the game's sequences, [sequences]: the inverse of `order`."""
    runs: Integers

    @classmethod
    def of(cls, tree: PlayerTree, block: Integers) -> _Order:
        offset = tree.offset.astype(np.int64)
        actions = action_counts(tree)
        level = _levels(tree)
        met = np.minimum.reduceat(block, offset[:-1]) if len(actions) else actions
        infoset_order = np.lexsort((np.arange(len(actions)), met, actions, level))
        kind = np.stack([level, actions])[:, infoset_order]
        first = np.flatnonzero(np.any(np.diff(kind, axis=1, prepend=-1) != 0, axis=0))
        count = np.diff(first, append=len(actions))
        wide = actions[infoset_order[first]]
        base = 1 + np.cumsum(count * wide) - count * wide
        order = np.zeros(tree.sequences, dtype=np.int64)
        for start, infoset, number, width in zip(base, first, count, wide, strict=True):
            heads = offset[infoset_order[infoset : infoset + number]]
            order[start : start + number * width] = (heads + np.arange(width)[:, None]).ravel()
        place = np.empty_like(order)
        place[order] = np.arange(len(order))
        return cls(order, place, np.stack([base, count, wide], axis=1))

    def side(self, tree: PlayerTree, tiles: Tiles) -> SideLayout:
        owner = np.repeat(np.arange(len(tree.infosets)), action_counts(tree))
        above = np.zeros(len(self.order), dtype=np.uint32)
        above[1:] = self.place[tree.parent[owner[self.order[1:] - 1]]]
        runs = np.ascontiguousarray(self.runs, dtype=np.uint32)
        return SideLayout(tree, self.order.astype(np.uint32), above, runs, tiles)
