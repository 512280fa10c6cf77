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
from sparring.extensive.layout import DuelLayout, SideLayout, action_counts
from sparring.extensive.tiles import LANES

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
class _Side:
    """The arrays of one side that the table points to, beyond those of the layout.

    Sides without a fixed part may share one `floor` of zeros and one `share` of ones, longer than needed.
    """

    floor: Reals
    share: Reals
    plan: Reals
    q: Reals
    scratch: Reals

    @classmethod
    def of(cls, layout: SideLayout, floor: Reals, share: Reals) -> _Side:
        size = layout.tree.sequences
        return cls(floor, share, plan=np.zeros(size), q=np.zeros(size + LANES), scratch=np.zeros(size))


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
        tree = layout.attacker.tree
        actions = action_counts(tree)
        at_infoset = np.broadcast_to(np.asarray(share, dtype=np.float64), actions.shape)
        self.layout = layout
        self.share: Reals = np.ascontiguousarray(at_infoset)
        self.free = bool(np.all(self.share == 1.0))
        if benign is None and not self.free:
            raise ValueError("a share below 1 needs a benign behaviour")
        self.benign = benign
        longest = max(tree.sequences, layout.victim.tree.sequences)
        # floor and share of a side of which nothing is fixed, in any order and for both sides
        nothing, everything = np.zeros(longest), np.ones(longest)
        nothing.flags.writeable = everything.flags.writeable = False
        self.sequence_share: Reals = everything[: tree.sequences]
        attacker = _Side.of(layout.attacker, nothing, everything)
        if benign is not None and not self.free:
            self.sequence_share = np.concatenate([[1.0], np.repeat(self.share, actions)])
            order, fixed = layout.attacker.order, (1.0 - self.sequence_share) * benign
            attacker = _Side.of(layout.attacker, fixed[order], self.sequence_share[order])
        self._sides = (_Side.of(layout.victim, nothing, everything), attacker)
        self.table = self._tabulate()

    def _tabulate(self) -> NDArray[np.uint64]:
        table = np.zeros(slots.SIZE, dtype=np.uint64)
        layouts = (self.layout.victim, self.layout.attacker)
        for side, layout, base in zip(self._sides, layouts, (slots.VICTIM, slots.ATTACKER), strict=True):
            tiles = layout.tiles
            sizes = {
                slots.SEQUENCES: len(layout.order),
                slots.INFOSETS: len(layout.parent),
                slots.RUN_COUNT: len(layout.runs),
                slots.TILES: len(tiles.row),
                slots.BLANKS: len(tiles.blank),
                slots.FREE: int(base == slots.VICTIM or self.free),
            }
            arrays: dict[np.uint64, NDArray[np.generic]] = {
                slots.ABOVE: layout.above, slots.ORDER: layout.order, slots.RUNS: layout.runs,
                slots.PARENT: layout.parent, slots.ROW: tiles.row, slots.HEIGHT: tiles.height,
                slots.START: tiles.start, slots.COLUMN: tiles.column, slots.VALUE: tiles.value,
                slots.BLANK: tiles.blank, slots.FLOOR: side.floor,
                slots.SHARE: side.share, slots.PLAN: side.plan, slots.Q: side.q,
                slots.SCRATCH: side.scratch,
            }  # fmt: skip
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
        """Bytes of the arrays that the engine adds to the layout."""
        arrays = [self.table, self.share, self.sequence_share]
        arrays += [array for side in self._sides for array in vars(side).values()]
        # sides may share arrays: each address counts once, with the longest array that begins there
        spans = {array.ctypes.data: int(array.nbytes) for array in sorted(arrays, key=lambda array: array.nbytes)}
        return sum(spans.values())

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
        return np.asarray((1.0 - self.sequence_share) * self.benign + self.sequence_share * free)

    def value(self, victim: Reals, deployed: Reals) -> float:
        """Return the victim's value against a deployed attacker behaviour, by the bilinear form."""
        return kernels.value(self.table, victim, deployed)

    def gradients(self, victim: Reals, free: Reals) -> Gradients:
        """Return value, action values and gradients at a victim and an attacker's free part."""
        sizes = [side.tree.sequences for side in (self.layout.victim, self.layout.attacker)]
        arrays = [np.empty(size) for size in (sizes[0], sizes[0], sizes[1], sizes[1])]
        return Gradients(kernels.action_values(self.table, victim, free, *arrays), *arrays)
