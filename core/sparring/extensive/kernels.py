"""Compiled passes over a duel: plans, the sparse product, best responses, action values.

Every kernel takes the table of `slots.py` and public arrays in the game's order of sequences. All values
are the victim's expected return. The passes are those of the sequence form (von Stengel 1996): plans run
from parents to children, `q = A x` is one sparse product, and values run back from children to parents.
Nothing allocates: working space stands behind the table, `q` for both sides in turns. A kernel
keeps Python's lock, so that calls from several threads take turns on it.
"""
# mypy: disable-error-code="untyped-decorator"

from __future__ import annotations

from typing import Any

import numpy as np
from numba import carray, float64
from numpy.typing import NDArray

from sparring.extensive import jit, slots
from sparring.extensive.jit import BEHAVIOUR, BUFFER, TABLE, add_tile, compiled, inner

__all__ = ["action_values", "attacker_response", "exploitability", "value", "victim_response"]

Reals = NDArray[np.float64]
Table = NDArray[np.uint64]
ZERO, ONE, THREE, BYTES = np.uint64(0), np.uint64(1), np.uint64(3), np.uint64(8)
real_pointer, whole_pointer = jit.real_pointer, jit.whole_pointer


@inner
def reals(table: Table, slot: np.uint64, size: np.uint64) -> Any:
    """Return the float64 array behind a slot."""
    return carray(real_pointer(table[slot]), size)


@inner
def wholes(table: Table, slot: np.uint64, size: np.uint64) -> Any:
    """Return the uint32 array behind a slot."""
    return carray(whole_pointer(table[slot]), size)


@inner
def check_size(table: Table, side: np.uint64, array: Reals) -> None:
    """Refuse an array of another tree: it would be read, or written, beyond its end."""
    if np.uint64(len(array)) != table[side + slots.SEQUENCES]:
        raise ValueError("an array must have one number for each sequence of its side")


@inner
def spread(table: Table, side: np.uint64, behaviour: Reals) -> None:
    """Fill a side's plan from a public behaviour: x[s] = x[above s] * behaviour[s]."""
    size = table[side + slots.SEQUENCES]
    plan = reals(table, side + slots.PLAN, size)
    above, order = wholes(table, side + slots.ABOVE, size), wholes(table, side + slots.ORDER, size)
    plan[0] = 1.0
    for s in range(ONE, size):
        plan[s] = plan[above[s]] * behaviour[order[s]]


@inner
def deploy(table: Table, side: np.uint64, free: Reals) -> None:
    """Fill a side's plan from a public free part, deployed as floor + share * free part."""
    if table[side + slots.FREE] == ONE:
        spread(table, side, free)
        return
    size = table[side + slots.SEQUENCES]
    plan = reals(table, side + slots.PLAN, size)
    above, order = wholes(table, side + slots.ABOVE, size), wholes(table, side + slots.ORDER, size)
    floor, share = reals(table, side + slots.FLOOR, size), reals(table, side + slots.SHARE, size)
    plan[0] = 1.0
    for s in range(ONE, size):
        plan[s] = plan[above[s]] * (floor[s] + share[s] * free[order[s]])


@inner
def product(table: Table, side: np.uint64, other: np.uint64) -> None:
    """Fill q of one side: the payoff matrix, rows of this side, times the other side's plan."""
    count = table[side + slots.TILES]
    row, start = wholes(table, side + slots.ROW, count + ONE), wholes(table, side + slots.START, count + ONE)
    q, x, column, value = (
        table[side + slots.Q],
        table[other + slots.PLAN],
        table[side + slots.COLUMN],
        table[side + slots.VALUE],
    )
    first, begin = ZERO, ZERO
    for t in range(ONE, count + ONE):
        below, end = np.uint64(row[t]), np.uint64(start[t])
        value = add_tile(q + BYTES * first, x, column, value, below - first, begin, end)
        first, begin = below, end


@inner
def least(table: Table) -> float:
    """Run the attacker's best response from q and return the victim's value; its plan is working space."""
    size, count = table[slots.ATTACKER + slots.SEQUENCES], table[slots.ATTACKER + slots.RUN_COUNT]
    free = table[slots.ATTACKER + slots.FREE] == ONE
    q, above = reals(table, slots.ATTACKER + slots.Q, size), wholes(table, slots.ATTACKER + slots.ABOVE, size)
    runs, low = (
        wholes(table, slots.ATTACKER + slots.RUNS, THREE * count),
        reals(table, slots.ATTACKER + slots.PLAN, size),
    )
    floor, share = reals(table, slots.ATTACKER + slots.FLOOR, size), reals(table, slots.ATTACKER + slots.SHARE, size)
    result = q[0]
    for back in range(count):
        at = THREE * (count - ONE - back)
        base, number, actions = np.uint64(runs[at]), np.uint64(runs[at + ONE]), np.uint64(runs[at + ONE + ONE])
        for c in range(number):
            low[c] = q[base + c]
        for j in range(ONE, actions):
            for c in range(number):
                low[c] = min(q[base + j * number + c], low[c])
        if not free:
            for c in range(number):
                low[c] = share[base + c] * low[c]
            for j in range(actions):
                for c in range(number):
                    low[c] += floor[base + j * number + c] * q[base + j * number + c]
        if above[base] == 0:
            for c in range(number):
                result += low[c]
        else:
            for c in range(number):
                q[above[base + c]] += low[c]
    return float(result)


@inner
def respond(table: Table, side: np.uint64, sign: float, response: Reals) -> float:
    """Run a side's best response from q, write its free part, and return the victim's value.

    The side minimises `sign` times the victim's value; of equal actions it takes the first.
    """
    size, count = table[side + slots.SEQUENCES], table[side + slots.RUN_COUNT]
    free = table[side + slots.FREE] == ONE
    q, above = reals(table, side + slots.Q, size), wholes(table, side + slots.ABOVE, size)
    runs, order = wholes(table, side + slots.RUNS, THREE * count), wholes(table, side + slots.ORDER, size)
    floor, share = reals(table, side + slots.FLOOR, size), reals(table, side + slots.SHARE, size)
    response[0] = 1.0
    for back in range(count):
        at = THREE * (count - ONE - back)
        base, number, actions = np.uint64(runs[at]), np.uint64(runs[at + ONE]), np.uint64(runs[at + ONE + ONE])
        for c in range(number):
            low, chosen, fixed = sign * q[base + c], base + c, 0.0
            for j in range(actions):
                s = base + j * number + c
                response[order[s]] = 0.0
                if not free:
                    fixed += floor[s] * q[s]
                if sign * q[s] < low:
                    low, chosen = sign * q[s], s
            response[order[chosen]] = 1.0
            q[above[base + c]] += sign * low if free else fixed + share[chosen] * (sign * low)
    return float(q[0])


@inner
def follow(table: Table, side: np.uint64, behaviour: Reals) -> float:
    """Run values back along a public free part as deployed; q becomes its action values."""
    size, count = table[side + slots.SEQUENCES], table[side + slots.RUN_COUNT]
    free = table[side + slots.FREE] == ONE
    q, above = reals(table, side + slots.Q, size), wholes(table, side + slots.ABOVE, size)
    runs, order = wholes(table, side + slots.RUNS, THREE * count), wholes(table, side + slots.ORDER, size)
    floor, share = reals(table, side + slots.FLOOR, size), reals(table, side + slots.SHARE, size)
    for back in range(count):
        at = THREE * (count - ONE - back)
        base, number, actions = np.uint64(runs[at]), np.uint64(runs[at + ONE]), np.uint64(runs[at + ONE + ONE])
        for c in range(number):
            total = 0.0
            for j in range(actions):
                s = base + j * number + c
                chance = behaviour[order[s]]
                total += (chance if free else floor[s] + share[s] * chance) * q[s]
            q[above[base + c]] += total
    return float(q[0])


@compiled(float64, TABLE, BEHAVIOUR)
def exploitability(table: Table, victim: Reals) -> float:
    """One-sided exploitability of a victim behaviour: minus the least value any attacker leaves it."""
    check_size(table, slots.VICTIM, victim)
    spread(table, slots.VICTIM, victim)
    product(table, slots.ATTACKER, slots.VICTIM)
    return -least(table)


@compiled(float64, TABLE, BEHAVIOUR, BUFFER)
def attacker_response(table: Table, victim: Reals, free: Reals) -> float:
    """Write the best attacker's free part, deterministic; return the victim's value against it."""
    check_size(table, slots.VICTIM, victim)
    spread(table, slots.VICTIM, victim)
    product(table, slots.ATTACKER, slots.VICTIM)
    return respond(table, slots.ATTACKER, 1.0, free)


@compiled(float64, TABLE, BEHAVIOUR, BUFFER)
def victim_response(table: Table, deployed: Reals, victim: Reals) -> float:
    """Write the best victim against a deployed attacker behaviour; return its value."""
    check_size(table, slots.ATTACKER, deployed)
    spread(table, slots.ATTACKER, deployed)
    product(table, slots.VICTIM, slots.ATTACKER)
    return respond(table, slots.VICTIM, -1.0, victim)


@compiled(float64, TABLE, BEHAVIOUR, BEHAVIOUR)
def value(table: Table, victim: Reals, deployed: Reals) -> float:
    """Return the victim's value by the bilinear form, x A y."""
    check_size(table, slots.VICTIM, victim)
    spread(table, slots.VICTIM, victim)
    check_size(table, slots.ATTACKER, deployed)
    spread(table, slots.ATTACKER, deployed)
    product(table, slots.ATTACKER, slots.VICTIM)
    size = table[slots.ATTACKER + slots.SEQUENCES]
    q, plan = reals(table, slots.ATTACKER + slots.Q, size), reals(table, slots.ATTACKER + slots.PLAN, size)
    total = 0.0
    for s in range(size):
        total += q[s] * plan[s]
    return total


@inner
def publish(table: Table, side: np.uint64, values: Reals, gradient: Reals) -> None:
    """Write action values and gradient of one side's free part in the game's order."""
    size = table[side + slots.SEQUENCES]
    q, plan = reals(table, side + slots.Q, size), reals(table, side + slots.PLAN, size)
    above, order = wholes(table, side + slots.ABOVE, size), wholes(table, side + slots.ORDER, size)
    share, free = reals(table, side + slots.SHARE, size), table[side + slots.FREE] == ONE
    values[0] = q[0]
    gradient[0] = 0.0
    for s in range(ONE, size):
        values[order[s]] = q[s]
        gradient[order[s]] = (1.0 if free else share[s]) * plan[above[s]] * q[s]


@compiled(float64, TABLE, BEHAVIOUR, BEHAVIOUR, BUFFER, BUFFER, BUFFER, BUFFER)
def action_values(
    table: Table,
    victim: Reals,
    free: Reals,
    victim_values: Reals,
    victim_gradient: Reals,
    attacker_values: Reals,
    attacker_gradient: Reals,
) -> float:
    """Write counterfactual action values and true gradients of both sides; return the value.

    `values[s]` is the victim's value of playing `s`, weighted by the reach of everybody else;
    the gradient of the value in `victim[s]` is the own reach times that, in the attacker's free part
    `free[s]` also times the share that is free.
    """
    check_size(table, slots.VICTIM, victim)
    check_size(table, slots.ATTACKER, free)
    deploy(table, slots.VICTIM, victim)
    deploy(table, slots.ATTACKER, free)
    product(table, slots.VICTIM, slots.ATTACKER)
    result = follow(table, slots.VICTIM, victim)
    publish(table, slots.VICTIM, victim_values, victim_gradient)
    product(table, slots.ATTACKER, slots.VICTIM)
    follow(table, slots.ATTACKER, free)
    publish(table, slots.ATTACKER, attacker_values, attacker_gradient)
    return result
