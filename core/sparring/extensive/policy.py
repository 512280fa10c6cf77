"""Behaviour policies of extensive-form games: one distribution for each information set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.policy import Ability, Policy

if TYPE_CHECKING:
    from sparring.extensive.game import PlayerTree

__all__ = ["TreePolicy", "policy_from_mapping"]

Floats = NDArray[np.float64]
SUM_TOLERANCE = 1e-6


@dataclass(frozen=True, eq=False)
class TreePolicy(Policy):
    """A behaviour policy.

    Raises:
        RequestError: wrong length, or an information set whose probabilities are no distribution.
    """

    probabilities: Floats
    """Of the last action of each sequence given its information set, [sequences]; 1 for the empty one."""
    tree: PlayerTree
    player: int

    def __post_init__(self) -> None:
        flat = np.ascontiguousarray(self.probabilities, dtype=np.float64)
        if flat.shape != (self.tree.sequences,):
            raise RequestError(f"policy: shape {list(flat.shape)}, expected [{self.tree.sequences}] sequences")
        object.__setattr__(self, "probabilities", _checked(flat, self.tree))

    @property
    def form(self) -> Form:
        """Extensive-form games."""
        return Form.EXTENSIVE

    @property
    def abilities(self) -> frozenset[Ability]:
        """Its probabilities are known."""
        certain = bool(np.isin(self.probabilities, (0.0, 1.0)).all())
        return frozenset({Ability.PROBABILITIES, *([Ability.DETERMINISTIC] if certain else [])})

    def to_mapping(self) -> dict[str, dict[int, float]]:
        """Information state to action to probability, as OpenSpiel writes them."""
        starts, actions, chances = self.tree.offset.tolist(), self.tree.action.tolist(), self.probabilities.tolist()
        return {
            name: dict(zip(actions[first:last], chances[first:last], strict=True))
            for name, first, last in zip(self.tree.infosets, starts[:-1], starts[1:], strict=True)
        }

    def to_document(self) -> dict[str, Any]:
        """The mapping as JSON values."""
        table = {name: {str(a): p for a, p in row.items()} for name, row in self.to_mapping().items()}
        return {"kind": "extensive", "player": self.player, "probabilities": table}


def _checked(flat: Floats, tree: PlayerTree) -> Floats:
    """The probabilities with exact sums, once every information set is seen to have a distribution."""
    if tree.sequences == 1:
        return np.ones(1)
    owner = np.repeat(np.arange(len(tree.infosets)), tree.sizes)
    chances = flat[1:]
    finite = np.isfinite(chances)
    total = np.bincount(owner, weights=np.where(finite, chances, 0.0), minlength=len(tree.infosets))
    for bad, fault in (
        (owner[~finite], "has a probability that is not a number"),
        (owner[finite & (chances < 0)], "has a negative probability"),
        (np.flatnonzero(np.abs(total - 1.0) > SUM_TOLERANCE), "does not sum to one"),
    ):
        if len(bad):
            where = int(bad[0])
            row = flat[tree.offset[where] : tree.offset[where + 1]].tolist()
            raise RequestError(f"policy: information set {tree.infosets[where]!r} {fault}: {row}")
    # Sums within 1e-12 of one are left as they are, so that a saved policy loads bit for bit.
    scale = np.where(np.abs(total - 1.0) <= 1e-12, 1.0, total)
    checked = np.concatenate([np.ones(1), chances / scale[owner]])
    checked.flags.writeable = False  # what was checked stays so: a threat or an oracle is handed these arrays
    return checked


def policy_from_mapping(
    table: Mapping[Any, Any], tree: PlayerTree, player: int, spec: str, others: frozenset[str] = frozenset()
) -> TreePolicy:
    """A policy from information state to action to probability.

    Args:
        table: actions may be numbers or their text; actions left out have probability 0.
        tree: of the seat.
        player: the seat.
        spec: of the game, for messages.
        others: information sets of the other seat, which a joint policy may hold too; they are left out.

    Raises:
        RequestError: an information set is missing or unknown, an action is illegal, or a probability wrong.
    """
    flat = np.zeros(tree.sequences)
    flat[0] = 1.0
    for place, name in enumerate(tree.infosets):
        if name not in table:
            raise RequestError(
                f"policy for {spec}: information set {name!r} of seat {player} is missing "
                f"({len(table)} given, {len(tree.infosets)} needed)"
            )
        first, last = int(tree.offset[place]), int(tree.offset[place + 1])
        _fill(flat, first, tree.action[first:last].tolist(), table[name], name)
    if len(table) > len(tree.infosets):
        unknown = [name for name in table if name not in others and name not in set(tree.infosets)]
        if unknown:
            hint = nearest(str(unknown[0]), tree.infosets, limit=3)
            raise RequestError(f"policy for {spec}: there is no information set {unknown[0]!r}; {hint}")
    return TreePolicy(flat, tree, player)


def _fill(flat: Floats, first: int, legal: list[int], row: Any, name: str) -> None:
    """Write one information set's probabilities."""
    if not isinstance(row, Mapping):
        raise RequestError(f"policy: information set {name!r} holds {row!r}, expected action to probability")
    for action, chance in row.items():
        try:
            number, value = int(action), float(chance)
        except (TypeError, ValueError):
            raise RequestError(f"policy: information set {name!r} holds {action!r}: {chance!r}, no numbers") from None
        if number in legal:
            flat[first + legal.index(number)] = value
        elif value != 0.0:
            raise RequestError(f"policy: information set {name!r} has no action {number}; choose from: {legal}")
