"""Exact computations on one extensive-form attack game, at the speed of the compiled passes.

An engine is a layout with a limit on the attacker: at information set `i` the deployed behaviour is
`(1 - share[i]) * benign + share[i] * free part`. Arrays go in and come out in the game's order of
sequences, with a 1 in place 0 (the empty sequence). Sizes and types of arrays are checked (ValueError,
TypeError), what stands in them is not: the attack game does that.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from sparring.extensive import kernels, simplex_kernels, slots
from sparring.extensive.game import PlayerTree
from sparring.extensive.layout import DuelLayout, action_counts

__all__ = ["Engine", "Gradients", "behaviour_of", "plan_of", "project", "uniform"]

Reals = NDArray[np.float64]


class Gradients(NamedTuple):
    """First-order information at a pair of behaviours; everything in terms of the victim's value."""

    value: float
    victim_values: Reals
    """Counterfactual action values of the victim, [victim sequences]; place 0 holds the value."""
    victim: Reals
    """Gradient in the victim's behaviour, [victim sequences]: own reach times action value."""
    attacker_values: Reals
    """Counterfactual action values at the attacker's information sets, [attacker sequences]."""
    attacker: Reals
    """Gradient in the attacker's free part, [attacker sequences]: share, own reach, action value."""


def plan_of(tree: PlayerTree, behaviour: Reals) -> Reals:
    """Return the realisation plan of a behaviour, [sequences]."""
    plan = np.empty(tree.sequences)
    simplex_kernels.plan_of(tree.offset, tree.parent, behaviour, plan)
    return plan


def behaviour_of(tree: PlayerTree, plan: Reals, fallback: Reals) -> Reals:
    """Return the behaviour of a realisation plan; `fallback` [sequences] where the plan never comes."""
    behaviour = np.empty(tree.sequences)
    simplex_kernels.behaviour_of(tree.offset, tree.parent, plan, fallback, behaviour)
    return behaviour


def project(tree: PlayerTree, points: Reals) -> Reals:
    """Return the nearest behaviour: each information set projected onto its simplex, [sequences]."""
    behaviour = np.array(points, dtype=np.float64)
    simplex_kernels.project(tree.offset, behaviour)
    return behaviour


def uniform(tree: PlayerTree) -> Reals:
    """Return the behaviour that takes every action alike, [sequences]."""
    actions = action_counts(tree)
    return np.concatenate([[1.0], np.repeat(1.0 / actions, actions)])


@dataclass(frozen=True, eq=False)
class _Space:
    """The arrays that the table points to beyond those of the layout, inner order."""

    plans: tuple[Reals, Reals]
    """Of either side, [sequences] or more: two numbers for each information set of its longest run."""
    q: Reals
    """Of both sides in turns, as long as the longer one and as the product reaches."""

    @classmethod
    def of(cls, layout: DuelLayout) -> _Space:
        sides = (layout.victim, layout.attacker)
        longest = max(len(side.order) for side in sides)
        reach = max(side.tiles.reach for side in sides)
        victim, attacker = (max(len(side.order), 2 * int(side.runs[:, 1].max(initial=0))) for side in sides)
        return cls((np.zeros(victim), np.zeros(attacker)), np.zeros(max(longest, reach)))


class Engine:
    """Exact values, best responses and gradients of one duel."""

    def __init__(self, layout: DuelLayout, share: float | Reals = 1.0, benign: Reals | None = None) -> None:
        """Bind a layout to the attacker's limit.

        Args:
            layout: the game from the victim's seat.
            share: weight of the attacker's free part, one number or one for each attacker information
                set in the game's order, [attacker infosets], each in [0, 1].
            benign: what the attacked seat plays otherwise, [attacker sequences]; needed below 1.

        Raises:
            ValueError: a share below 1 without a benign behaviour.
        """
        self.layout = layout
        infosets = len(layout.attacker.tree.infosets)
        self.share: Reals = np.broadcast_to(np.asarray(share, dtype=np.float64), (infosets,))
        self.free = bool(np.all(self.share == 1.0))
        if benign is None and not self.free:
            raise ValueError("a share below 1 needs a benign behaviour")
        self.benign = benign
        self.limit: tuple[Reals, Reals] | None = None
        """Fixed part of the deployed behaviour and weight of the free one, [attacker sequences], inner order."""
        if benign is not None and not self.free:
            order, weight = layout.attacker.order, self.sequence_share
            self.limit = (((1.0 - weight) * benign)[order], weight[order])
        self._space = _Space.of(layout)
        self.table = self._tabulate()

    @property
    def sequence_share(self) -> Reals:
        """Weight of the free part at each attacker sequence, [attacker sequences]; 1 for the empty one."""
        return np.concatenate([[1.0], np.repeat(self.share, action_counts(self.layout.attacker.tree))])

    def _tabulate(self) -> NDArray[np.uint64]:
        table = np.zeros(slots.SIZE, dtype=np.uint64)
        sides = ((slots.VICTIM, self.layout.victim, None), (slots.ATTACKER, self.layout.attacker, self.limit))
        for (base, layout, limit), plan in zip(sides, self._space.plans, strict=True):
            tiles = layout.tiles
            sizes = {
                slots.SEQUENCES: len(layout.order),
                slots.RUN_COUNT: len(layout.runs),
                slots.TILES: len(tiles.row) - 1,
                slots.FREE: int(limit is None),
            }
            arrays: dict[np.uint64, NDArray[np.generic]] = {
                slots.ABOVE: layout.above, slots.ORDER: layout.order, slots.RUNS: layout.runs,
                slots.ROW: tiles.row, slots.START: tiles.start,
                slots.COLUMN: tiles.column, slots.VALUE: tiles.value,
                slots.PLAN: plan, slots.Q: self._space.q,
            }  # fmt: skip
            if limit is not None:
                arrays |= {slots.FLOOR: limit[0], slots.SHARE: limit[1]}
            for slot, size in sizes.items():
                table[base + slot] = size
            for slot, array in arrays.items():
                table[base + slot] = array.ctypes.data
        return table

    def __reduce__(self) -> tuple[type[Engine], tuple[DuelLayout, Reals, Reals | None]]:
        """Copy and pickle by rebuilding: addresses do not travel."""
        return (Engine, (self.layout, self.share, self.benign))

    @property
    def nbytes(self) -> int:
        """Bytes of the arrays that the engine adds to the layout; `share` and `benign` are the caller's."""
        arrays = [self.table, *self._space.plans, self._space.q, *(self.limit or ())]
        return sum(array.nbytes for array in arrays)

    def exploitability(self, victim: Reals) -> float:
        """Return minus the least value that any attacker within the limit leaves the victim."""
        return kernels.exploitability(self.table, victim)

    def attacker_response(self, victim: Reals) -> tuple[float, Reals]:
        """Return the victim's least value and the attacker's free part that leaves it there.

        The free part is deterministic at each information set; of equal actions it takes the first.
        """
        free = np.empty(self.layout.attacker.tree.sequences)
        return kernels.attacker_response(self.table, victim, free), free

    def victim_response(self, deployed: Reals) -> tuple[float, Reals]:
        """Return the greatest value against a deployed attacker behaviour, and the victim that gets it."""
        victim = np.empty(self.layout.victim.tree.sequences)
        return kernels.victim_response(self.table, deployed, victim), victim

    def deploy(self, free: Reals) -> Reals:
        """Return the deployed behaviour of an attacker's free part, [attacker sequences]."""
        if self.benign is None:
            return free.copy()
        weight = self.sequence_share
        return np.asarray((1.0 - weight) * self.benign + weight * free)

    def value(self, victim: Reals, deployed: Reals) -> float:
        """Return the victim's value against a deployed attacker behaviour, by the bilinear form."""
        return kernels.value(self.table, victim, deployed)

    def gradients(self, victim: Reals, free: Reals) -> Gradients:
        """Return value, action values and gradients at a victim and an attacker's free part."""
        sizes = [side.tree.sequences for side in (self.layout.victim, self.layout.attacker)]
        arrays = [np.empty(size) for size in (sizes[0], sizes[0], sizes[1], sizes[1])]
        return Gradients(kernels.action_values(self.table, victim, free, *arrays), *arrays)
