"""Two-player extensive-form games with perfect recall, compiled to sequence form.

The sequence form (von Stengel 1996) keeps, for each player, the information sets with their
sequences (information set, action), and one chance-weighted payoff for each pair of sequences that
ends a history. It is as large as the tree's leaves and everything exact is a few passes over it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.extensive.policy import TreePolicy, policy_from_mapping
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import numbers, payload

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame

__all__ = ["ExtensiveGame", "PlayerTree", "same_tree"]


@dataclass(frozen=True, eq=False)
class PlayerTree:
    """One player's information sets and sequences, parents before children.

    Sequence 0 is the empty sequence. The sequences of information set `i` are
    `offset[i]:offset[i + 1]`, so `offset[0] == 1` and `offset[-1] == sequences`.
    """

    infosets: tuple[str, ...]
    """Information-state strings, [infosets]."""
    offset: NDArray[np.uint32]
    """First sequence of each information set, [infosets + 1]."""
    parent: NDArray[np.uint32]
    """The player's own last sequence before each information set, [infosets]; `parent[i] < offset[i]`."""
    action: NDArray[np.int64]
    """The game's number of the action that ends each sequence, [sequences]; -1 for the empty one."""

    @property
    def sequences(self) -> int:
        """Number of sequences, the empty one included."""
        return len(self.action)

    @property
    def sizes(self) -> NDArray[np.int64]:
        """Number of actions of each information set, [infosets]."""
        return np.asarray(self.offset[1:].astype(np.int64) - self.offset[:-1])


def same_tree(one: PlayerTree, other: PlayerTree) -> bool:
    """Whether two trees have the same information sets with the same actions in the same order."""
    arrays = ((one.offset, other.offset), (one.parent, other.parent), (one.action, other.action))
    return one.infosets == other.infosets and all(np.array_equal(a, b) for a, b in arrays)


@dataclass(frozen=True, eq=False)
class ExtensiveGame(Game):
    """A compiled game. Entry `k` of the payoff arrays belongs to the sequence pair `(row[k], column[k])`."""

    form: ClassVar[Form] = Form.EXTENSIVE

    spec: str
    trees: tuple[PlayerTree, PlayerTree]
    row: NDArray[np.uint32]
    """Player 0's sequence of each entry, [entries]; entries are sorted by (row, column), each pair once."""
    column: NDArray[np.uint32]
    """Player 1's sequence of each entry, [entries]."""
    payoff: NDArray[np.float64]
    """Chance-weighted payoff to each player, summed over the histories of each entry, [2, entries]."""
    payoff_range: tuple[tuple[float, float], tuple[float, float]]
    """Least and greatest payoff of a single history, for each player."""
    zero_sum: bool
    nodes: int
    """Histories of the tree, chance and terminal ones included."""

    def __post_init__(self) -> None:
        # What a game says stays said while plugins work with it; a copy would double the memory of large games.
        for array in (self.row, self.column, self.payoff):
            array.flags.writeable = False

    @property
    def players(self) -> int:
        """Two, always."""
        return 2

    def uniform_policy(self, player: int | None) -> TreePolicy:
        """Every legal action with the same probability in every information set."""
        tree = self.trees[player or 0]
        return TreePolicy(np.concatenate([np.ones(1), np.repeat(1.0 / tree.sizes, tree.sizes)]), tree, player or 0)

    def decision_points(self, player: int | None) -> tuple[str, ...]:
        """The seat's information sets."""
        return self.trees[player or 0].infosets

    def make_policy(self, data: object, player: int | None) -> TreePolicy:
        """Make a policy from a mapping, from what `TreePolicy.to_document` gave, or from an array [sequences].

        A mapping goes from information state to action to probability; it may hold both seats.
        """
        seat = player or 0
        found = payload(data, "extensive", seat, self.spec)
        if isinstance(found, Mapping):
            others = frozenset(self.trees[1 - seat].infosets)
            return policy_from_mapping(found, self.trees[seat], seat, self.spec, others)
        return TreePolicy(numbers(found, "extensive", seat, self.spec), self.trees[seat], seat)

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """Build the zero-sum game between the victim in seat `victim_player` and the attacker."""
        from sparring.extensive.attack_game import ExtensiveAttackGame

        return ExtensiveAttackGame(self, charged, victim_player)
