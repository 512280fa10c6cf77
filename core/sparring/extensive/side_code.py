"""One side's half of a CFR+ iteration as straight-line code: product, regret matching, plan.

Each step does what `kernels` and `cfr_kernels` do at run time, in the same order, so that the numbers are the same.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.extensive.cfr_kernels import SHORT
from sparring.extensive.layout import SideLayout
from sparring.extensive.vector_code import Vector, constant, fused, gather, moved, positive, splat

__all__ = ["SideCode"]

Reals = NDArray[np.float64]
Vectors = list[Vector]


class SideCode:
    """One side's sequences as vectors: the empty sequence, then one vector for each run and action.

    `code` is the builder that instructions are appended to; lists of vectors go by the numbers of `spans`.
    """

    def __init__(self, layout: SideLayout, limit: tuple[Reals, Reals] | None, sign: float) -> None:
        self.limit, self.sign = limit, sign
        self.above: list[int] = layout.above.tolist()
        self.spans = [range(1)]
        """Inner places of each vector."""
        self.runs: list[range] = []
        """Vectors of each run."""
        for base, count, actions in layout.runs.tolist():
            self.runs.append(range(len(self.spans), len(self.spans) + actions))
            self.spans += [range(base + j * count, base + (j + 1) * count) for j in range(actions)]
        self.home = [(number, lane) for number, span in enumerate(self.spans) for lane in range(len(span))]
        """Vector and lane of each inner place."""
        self.rows: list[list[tuple[int, float]]] = [[] for _ in self.above]
        """Columns, ascending, and payoffs of each row."""
        for row, column, value in layout.tiles.entries():
            self.rows[row].append((column, value))

    def half(
        self, code: Any, other: SideCode, plan: Vectors, state: list[Vectors], weight: Any, predictive: bool
    ) -> Vectors:
        """Update regrets, behaviours and sums in `state` against the other's plan; return the own plan."""
        regrets, behaviours, sums = state
        self._match(code, self._product(code, other, plan), regrets, behaviours, predictive)
        own = self.plan(code, behaviours)
        for k, part in enumerate(own):
            sums[k] = code.fadd(sums[k], code.fmul(splat(code, weight, len(self.spans[k])), part))
        return own

    def plan(self, code: Any, behaviours: Vectors) -> Vectors:
        """Return the plan of the current behaviour."""
        plan = [constant([1.0])]
        for span, behaviour in zip(self.spans[1:], behaviours[1:], strict=True):
            before = gather(code, plan, [self.home[self.above[place]] for place in span])
            plan.append(code.fmul(before, self._deployed(code, span, behaviour)))
        return plan

    def _deployed(self, code: Any, span: range, behaviour: Vector) -> Vector:
        if self.limit is None:
            return behaviour
        floor, share = (constant(part[span]) for part in self.limit)
        return code.fadd(floor, code.fmul(share, behaviour))

    def _product(self, code: Any, other: SideCode, plan: Vectors) -> Vectors:
        """Return q: of all rows of a vector at once the first payoff, then the second ..."""
        q = []
        for span in self.spans:
            rows, total = [self.rows[place] for place in span], constant([0.0] * len(span))
            for step in range(max(map(len, rows))):
                terms = [row[step] if step < len(row) else (0, 0.0) for row in rows]
                columns = gather(code, plan, [other.home[column] for column, _ in terms])
                total = fused(code, total, constant(value for _, value in terms), columns)
            q.append(total)
        return q

    def _match(self, code: Any, q: Vectors, regrets: Vectors, behaviours: Vectors, predictive: bool) -> None:
        """Run values back, add regrets and match them, run after run."""
        for run in reversed(self.runs):
            mean = _dot(code, [behaviours[k] for k in run], [q[k] for k in run])
            self._raise(code, q, run, mean)
            aheads = []
            for k in run:
                instant = code.fsub(q[k], mean) if self.sign > 0 else code.fsub(mean, q[k])
                regrets[k] = positive(code, code.fadd(regrets[k], instant))
                aheads.append(positive(code, code.fadd(regrets[k], instant)) if predictive else regrets[k])
            for k, share in zip(run, _shares(code, aheads), strict=True):
                behaviours[k] = share

    def _raise(self, code: Any, q: Vectors, run: range, mean: Vector) -> None:
        """Add a run's values to those of the sequences before: each one's first child, then its second ..."""
        span = self.spans[run[0]]
        if self.above[span[0]] == 0:
            return  # nobody asks for the value of the empty sequence
        if self.limit is not None:
            floor, share = self.limit
            fixed = _dot(code, [constant(floor[self.spans[k]]) for k in run], [q[k] for k in run])
            mean = code.fadd(fixed, code.fmul(constant(share[span]), mean))
        children: dict[int, list[int]] = {}
        for lane, place in enumerate(span):
            children.setdefault(self.above[place], []).append(lane)
        for k in sorted({self.home[place][0] for place in children}):
            families = [children.get(place, []) for place in self.spans[k]]
            for turn in range(max(map(len, families))):
                lanes = [family[turn] if turn < len(family) else None for family in families]
                q[k] = code.fadd(q[k], moved(code, mean, lanes))


def _dot(code: Any, ones: Vectors, others: Vectors) -> Vector:
    """Return the sum of products, from the first on."""
    total = code.fmul(ones[0], others[0])
    for one, other in zip(ones[1:], others[1:], strict=True):
        total = code.fadd(total, code.fmul(one, other))
    return total


def _shares(code: Any, aheads: Vectors) -> Vectors:
    """Return each one's share of their sum, all alike where that is 0."""
    lanes, total = aheads[0].type.count, aheads[0]
    for ahead in aheads[1:]:
        total = code.fadd(total, ahead)
    some = code.fcmp_ordered(">", total, constant([0.0] * lanes))
    alike, whole = constant([1.0 / len(aheads)] * lanes), constant([1.0] * lanes)
    if len(aheads) == 2 and lanes < int(SHORT):  # as `cfr_kernels.match_pairs`
        first = code.select(some, code.fdiv(aheads[0], total), alike)
        return [first, code.fsub(whole, first)]
    scale = code.fdiv(whole, total)
    return [code.select(some, code.fmul(ahead, scale), alike) for ahead in aheads]
