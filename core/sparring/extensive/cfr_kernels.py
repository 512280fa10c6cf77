"""CFR+ and predictive CFR+ on a duel, the whole loop compiled.

The victim minimises regret over its behaviour; the attacker at each information set over the free part of
its deployed behaviour only, since the benign part is fixed: the local decision set is
`floor + share * simplex`, and regret matching does not mind the factor. Both follow Tammelin 2014
(alternating updates, regrets cut at 0, plans averaged with weight `t`); the predictive variant plays
against the regrets plus the last instantaneous ones and averages with weight `t * t` (Farina, Kroer and
Sandholm 2021, PCFR+). What is averaged are realisation plans, the attacker's as deployed.

A side's state is one array of three rows, inner order: regrets, free behaviour, weighted sum of plans. It is
reached through the table: arrays that are arguments would have their references counted at each slice.
"""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import boolean, carray, float64, types, uint64
from numpy.typing import NDArray

from sparring.extensive import jit, slots
from sparring.extensive.jit import BUFFER, TABLE, compiled, inner
from sparring.extensive.kernels import BYTES, ONE, THREE, least, product, reals, wholes

__all__ = ["GAP", "ITERATION", "LOWER", "UPPER", "WEIGHT", "run"]

Reals = NDArray[np.float64]
Table = NDArray[np.uint64]
SHORT = np.uint64(16)
"""Information sets from which on a run is worth the vector loops' overhead."""
REGRETS, BEHAVIOURS, SUMS = (np.uint64(number) for number in range(3))

ITERATION, WEIGHT, UPPER, LOWER, GAP = range(5)
"""Places of the counters array: iterations done, sum of weights, and of the last check the exploitability
of the averaged victim, a lower bound on every victim's, and their difference."""


@inner
def row(table: Table, side: np.uint64, number: np.uint64) -> Any:
    """Return one row of a side's state."""
    size = table[side + slots.SEQUENCES]
    return carray(jit.real_pointer(table[side + slots.STATE] + BYTES * size * number), size)


@inner
def advance(table: Table, side: np.uint64, weight: float) -> None:
    """Fill the plan of the current behaviour and add it, weighted, to the sum."""
    size = table[side + slots.SEQUENCES]
    above = wholes(table, side + slots.ABOVE, size)
    floor, share = reals(table, side + slots.FLOOR, size), reals(table, side + slots.SHARE, size)
    plan = reals(table, side + slots.PLAN, size)
    behaviour, sums = row(table, side, BEHAVIOURS), row(table, side, SUMS)
    plan[0] = 1.0
    if table[side + slots.FREE] == ONE:
        for s in range(ONE, size):
            plan[s] = plan[above[s]] * behaviour[s]
    else:
        for s in range(ONE, size):
            plan[s] = plan[above[s]] * (floor[s] + share[s] * behaviour[s])
    for s in range(size):
        sums[s] += weight * plan[s]


@inner
def match_pairs(q: Reals, regret: Reals, behaviour: Reals, mean: Reals, base: np.uint64, number: np.uint64,
                sign: float, predictive: bool) -> None:  # fmt: skip
    """Match the regrets of a short run with two actions, one information set after another."""
    for c in range(number):
        s, t = base + c, base + number + c
        value = behaviour[s] * q[s] + behaviour[t] * q[t]
        mean[c] = value
        left, right = sign * (q[s] - value), sign * (q[t] - value)
        regret[s] = kept = max(regret[s] + left, 0.0)
        regret[t] = other = max(regret[t] + right, 0.0)
        if predictive:
            kept, other = max(kept + left, 0.0), max(other + right, 0.0)
        total = kept + other
        share = kept / (total if total > 0.0 else 1.0) + (0.0 if total > 0.0 else 0.5)
        behaviour[s] = share
        behaviour[t] = 1.0 - share


@inner
def match_run(q: Reals, regret: Reals, behaviour: Reals, mean: Reals, total: Reals, base: np.uint64,
              number: np.uint64, actions: np.uint64, sign: float, predictive: bool) -> None:  # fmt: skip
    """Match the regrets of a run, action after action: loops that the compiler turns into vectors."""
    for c in range(number):
        mean[c] = 0.0
        total[c] = 0.0
    for j in range(actions):
        for c in range(number):
            s = base + j * number + c
            mean[c] += behaviour[s] * q[s]
    for j in range(actions):
        for c in range(number):
            s = base + j * number + c
            instant = sign * (q[s] - mean[c])
            kept = max(regret[s] + instant, 0.0)
            regret[s] = kept
            ahead = max(kept + instant, 0.0) if predictive else kept
            behaviour[s] = ahead
            total[c] += ahead
    for c in range(number):
        total[c] = 1.0 / total[c] if total[c] > 0.0 else 0.0
    for j in range(actions):
        for c in range(number):
            s = base + j * number + c
            behaviour[s] = behaviour[s] * total[c] if total[c] > 0.0 else 1.0 / actions


@inner
def match(table: Table, side: np.uint64, sign: float, predictive: bool) -> None:
    """Run values back along the current behaviour, add regrets and match them, run after run."""
    size, count = table[side + slots.SEQUENCES], table[side + slots.RUN_COUNT]
    free = table[side + slots.FREE] == ONE
    q, above = reals(table, side + slots.Q, size), wholes(table, side + slots.ABOVE, size)
    runs = wholes(table, side + slots.RUNS, THREE * count)
    floor, share = reals(table, side + slots.FLOOR, size), reals(table, side + slots.SHARE, size)
    plan = table[side + slots.PLAN]  # done with for now: the next `advance` fills it anew
    mean = carray(jit.real_pointer(plan), size)
    regret, behaviour = row(table, side, REGRETS), row(table, side, BEHAVIOURS)
    for back in range(count):
        at = THREE * (count - ONE - back)
        base, number, actions = np.uint64(runs[at]), np.uint64(runs[at + ONE]), np.uint64(runs[at + ONE + ONE])
        if actions == ONE + ONE and number < SHORT:
            match_pairs(q, regret, behaviour, mean, base, number, sign, predictive)
        else:
            total = carray(jit.real_pointer(plan + BYTES * number), number)
            match_run(q, regret, behaviour, mean, total, base, number, actions, sign, predictive)
        if above[base] == 0:
            continue  # nobody asks for the value of the empty sequence
        if free:
            for c in range(number):
                q[above[base + c]] += mean[c]
        else:
            for c in range(number):
                fixed = 0.0
                for j in range(actions):
                    s = base + j * number + c
                    fixed += floor[s] * q[s]
                q[above[base + c]] += fixed + share[base + c] * mean[c]


@inner
def recall(table: Table, side: np.uint64) -> None:
    """Fill a side's plan with that of its current behaviour."""
    advance(table, side, 0.0)


@inner
def average(table: Table, side: np.uint64, weight: float) -> None:
    """Fill a side's plan with its averaged plan."""
    size = table[side + slots.SEQUENCES]
    plan, sums = reals(table, side + slots.PLAN, size), row(table, side, SUMS)
    for s in range(size):
        plan[s] = sums[s] / weight


@inner
def greatest(table: Table) -> float:
    """Run the victim's best response from q and return its value."""
    size, count = table[slots.VICTIM + slots.SEQUENCES], table[slots.VICTIM + slots.RUN_COUNT]
    q, above = reals(table, slots.VICTIM + slots.Q, size), wholes(table, slots.VICTIM + slots.ABOVE, size)
    runs = wholes(table, slots.VICTIM + slots.RUNS, THREE * count)
    for back in range(count):
        at = THREE * (count - ONE - back)
        base, number, actions = np.uint64(runs[at]), np.uint64(runs[at + ONE]), np.uint64(runs[at + ONE + ONE])
        for c in range(number):
            high = q[base + c]
            for j in range(ONE, actions):
                high = max(high, q[base + j * number + c])
            q[above[base + c]] += high
    return float(q[0])


@inner
def check(table: Table, counters: Reals) -> None:
    """Bound the optimum by the averages: above by the victim's, below by the attacker's."""
    average(table, slots.VICTIM, counters[WEIGHT])
    average(table, slots.ATTACKER, counters[WEIGHT])
    product(table, slots.VICTIM, slots.ATTACKER)
    counters[LOWER] = -greatest(table)
    product(table, slots.ATTACKER, slots.VICTIM)
    counters[UPPER] = -least(table)  # leaves nothing of the attacker's plan
    counters[GAP] = counters[UPPER] - counters[LOWER]


@compiled(types.void, TABLE, BUFFER, uint64, uint64, float64, boolean)
def run(
    table: Table,
    counters: Reals,
    iterations: int,
    every: int,
    target: float,
    predictive: bool,
) -> None:
    """Do up to `iterations` more; check every so many (0: never) and stop at a gap of `target`."""
    recall(table, slots.VICTIM)
    recall(table, slots.ATTACKER)
    for done in range(ONE, iterations + ONE):
        counters[ITERATION] += 1.0
        weight = counters[ITERATION] * (counters[ITERATION] if predictive else 1.0)
        counters[WEIGHT] += weight
        product(table, slots.VICTIM, slots.ATTACKER)
        match(table, slots.VICTIM, 1.0, predictive)
        advance(table, slots.VICTIM, weight)
        product(table, slots.ATTACKER, slots.VICTIM)
        match(table, slots.ATTACKER, -1.0, predictive)
        advance(table, slots.ATTACKER, weight)
        if every > 0 and done % every == 0:
            check(table, counters)
            if counters[GAP] <= target:
                return
            recall(table, slots.VICTIM)
            recall(table, slots.ATTACKER)
