"""The least and greatest return of a victim on a tree, by plain loops over information sets."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import OpponentAccess
from sparring.extensive.game import ExtensiveGame, PlayerTree
from sparring.testing.check import CheckSkipped
from sparring.testing.ranges import Power, table_of

__all__ = ["tree_range"]

Floats = NDArray[np.float64]


def tree_range(game: ExtensiveGame, power: Power, victim: Floats) -> tuple[float, float]:
    """Go from the leaves up: at each information set the benign part is fixed, the rest is the attacker's.

    Args:
        game: the unattacked game.
        power: of the attacker in the other seat.
        victim: behaviour, [sequences].

    Raises:
        CheckSkipped: the access is not that to the other seat, charged as a probability.
    """
    access = power.access
    if not isinstance(access, OpponentAccess) or not power.mixes:
        raise CheckSkipped(f"the kit derives no values of a {type(access).__name__} on trees")
    seat = power.seat or 0
    tree = game.trees[1 - seat]
    share = np.ones(len(tree.infosets)) if access.share is None else np.asarray(access.share, dtype=np.float64)
    benign = uniform_rows(tree) if power.benign is None else table_of(power.benign)
    quality = _quality(game, seat, victim)
    control = power.amount * share
    return _climb(tree, quality, benign, control, min), _climb(tree, quality, benign, control, max)


def uniform_rows(tree: PlayerTree) -> Floats:
    """The uniform behaviour, [sequences]; a stand-in where a benign behaviour has no weight."""
    return np.concatenate([np.ones(1), np.repeat(1.0 / tree.sizes, tree.sizes)])


def _quality(game: ExtensiveGame, seat: int, victim: Floats) -> Floats:
    """The victim's payoff at each of the attacker's sequences, weighted by chance and the victim's own reach."""
    own = game.trees[seat]
    reach = np.ones(own.sequences)
    for infoset, parent in enumerate(own.parent.tolist()):
        for sequence in range(int(own.offset[infoset]), int(own.offset[infoset + 1])):
            reach[sequence] = reach[parent] * victim[sequence]
    quality = np.zeros(game.trees[1 - seat].sequences)
    for row, column, payoff in zip(game.row.tolist(), game.column.tolist(), game.payoff[seat].tolist(), strict=True):
        mine, theirs = (row, column) if seat == 0 else (column, row)
        quality[theirs] += reach[mine] * payoff
    return quality


def _climb(tree: PlayerTree, quality: Floats, benign: Floats, control: Floats, pick: Callable[[Any], float]) -> float:
    below = quality.copy()
    for infoset in reversed(range(len(tree.infosets))):
        here = slice(int(tree.offset[infoset]), int(tree.offset[infoset + 1]))
        fixed, free = float(benign[here] @ below[here]), pick(below[here].tolist())
        below[tree.parent[infoset]] += (1 - control[infoset]) * fixed + control[infoset] * free
    return float(below[0])
