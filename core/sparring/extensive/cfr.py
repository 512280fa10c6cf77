"""CFR+ on a duel as an object that can stop, be saved, and go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

import numpy as np
from numpy.typing import NDArray

from sparring.extensive import cfr_kernels, slots
from sparring.extensive.engine import Engine, uniform
from sparring.extensive.layout import SideLayout
from sparring.extensive.unrolled import unrolled

__all__ = ["RegretMatching"]

Reals = NDArray[np.float64]


def _fresh(side: SideLayout) -> Reals:
    """A state without regrets that plays uniformly."""
    state = np.zeros((3, side.tree.sequences))
    state[1] = uniform(side.tree)[side.order]
    return state


@dataclass(eq=False)
class RegretMatching:
    """CFR+, or PCFR+ when `predictive`, on the duel of an engine.

    `victim`, `attacker` and `counters` are the whole state: save copies of them, `restore` goes on from there.
    """

    engine: Engine
    predictive: bool = False
    unroll: bool = False
    """Whether to translate the game into a program of its own first: see `unrolled`, which says when that pays."""
    victim: Reals = field(init=False)
    """Regrets, behaviour, weighted sum of plans; [3, victim sequences], inner order."""
    attacker: Reals = field(init=False)
    """The same of the attacker: regrets and behaviour of its free part, plans as deployed."""
    counters: Reals = field(init=False)
    """Iterations, sum of weights, upper bound, lower bound, gap; see `cfr_kernels`."""

    def __post_init__(self) -> None:
        """Start from uniform behaviours."""
        self.victim = _fresh(self.engine.layout.victim)
        self.attacker = _fresh(self.engine.layout.attacker)
        self.counters = np.array([0.0, 0.0, np.inf, -np.inf, np.inf])
        # the kernels find the states by address: these arrays are filled again, never replaced
        self._table = self.engine.table.copy()
        self._table[slots.VICTIM + slots.STATE] = self.victim.ctypes.data
        self._table[slots.ATTACKER + slots.STATE] = self.attacker.ctypes.data
        self._loop: Callable[[int], None] | None = None
        if self.unroll:
            addresses = (array.ctypes.data for array in (self.victim, self.attacker, self.counters))
            self._loop = partial(unrolled(self.engine, self.predictive), *addresses)

    def __reduce__(self) -> tuple[object, ...]:
        """Copy and pickle by rebuilding: addresses do not travel."""
        state = (self.victim, self.attacker, self.counters)
        return _rebuilt, (self.engine, self.predictive, self.unroll, *state)

    @property
    def iterations(self) -> int:
        """Iterations done."""
        return int(self.counters[cfr_kernels.ITERATION])

    @property
    def upper(self) -> float:
        """Exploitability of the averaged victim at the last check."""
        return float(self.counters[cfr_kernels.UPPER])

    @property
    def lower(self) -> float:
        """What no victim's exploitability can fall below, by the averaged attacker at the last check."""
        return float(self.counters[cfr_kernels.LOWER])

    @property
    def gap(self) -> float:
        """`upper - lower` at the last check; infinite before the first."""
        return float(self.counters[cfr_kernels.GAP])

    def run(self, iterations: int, *, every: int = 0, target: float = 0.0) -> float:
        """Do up to `iterations` more, and stop early once a check finds a gap of at most `target`.

        Args:
            iterations: how many at most.
            every: check every so many iterations; 0 never checks.
            target: gap to stop at.

        Returns:
            The gap at the last check.
        """
        if self._loop is None:
            cfr_kernels.run(self._table, self.counters, iterations, every, target, self.predictive)
            return self.gap
        for _ in range(iterations // every if every > 0 else 0):
            # the last iteration before a check, and the check, are left to the tables: the state is the same
            self._loop(every - 1)
            cfr_kernels.run(self._table, self.counters, 1, 1, target, self.predictive)
            if self.gap <= target:
                return self.gap
        self._loop(iterations % every if every > 0 else iterations)
        return self.gap

    def restore(self, victim: Reals, attacker: Reals, counters: Reals) -> None:
        """Go on from a saved state: copies of `victim`, `attacker` and `counters`."""
        self.victim[:], self.attacker[:], self.counters[:] = victim, attacker, counters

    def averaged_plans(self) -> tuple[Reals, Reals]:
        """Return the averaged plans of the victim and of the deployed attacker, in the game's order.

        Raises:
            ValueError: there was no iteration yet.
        """
        if self.iterations == 0:
            raise ValueError("no iteration was done, there is nothing to average")
        weight = float(self.counters[cfr_kernels.WEIGHT])
        victim, attacker = self._public(cfr_kernels.SUMS)
        return victim / weight, attacker / weight

    def last_behaviours(self) -> tuple[Reals, Reals]:
        """Return the current behaviour of the victim and free part of the attacker, the game's order."""
        return self._public(cfr_kernels.BEHAVIOURS)

    def _public(self, row: np.uint64) -> tuple[Reals, Reals]:
        layout = self.engine.layout
        victim, attacker = np.empty_like(self.victim[row]), np.empty_like(self.attacker[row])
        victim[layout.victim.order] = self.victim[row]
        attacker[layout.attacker.order] = self.attacker[row]
        return victim, attacker


def _rebuilt(engine: Engine, predictive: bool, unroll: bool, *state: Reals) -> RegretMatching:
    matching = RegretMatching(engine, predictive, unroll)
    matching.restore(*state)
    return matching
