"""CFR+ on one small game as straight-line machine code.

`cfr_kernels` walks tables, and on a game like Kuhn poker most of an iteration is waiting: for an index, for the end of
a loop of three, for a number just stored. Here the game becomes the program. The sequences of one action in one run are
a vector (see `layout`), payoffs and limits are constants of the instructions, and regrets, behaviours and sums stay in
registers from one iteration to the next. Code, and the time to translate it, grow with the game: from 0.025 s on Kuhn
poker, whose iterations then take a third of the time, to half a second on the largest (`LARGEST`).

Every number comes from the same operations in the same order as in `cfr_kernels`, so that both kernels may take turns
on one state; a test compares them bit for bit.
"""
# llvmlite has no type stubs
# mypy: disable-error-code="import-untyped,no-untyped-call"

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any

from llvmlite import ir

from sparring.extensive.cfr_kernels import ITERATION, WEIGHT
from sparring.extensive.engine import Engine
from sparring.extensive.layout import DuelLayout
from sparring.extensive.side_code import SideCode
from sparring.extensive.vector_code import REAL, WHOLE, host_code, vector

__all__ = ["LARGEST", "PAYS_FROM", "pays", "size_of", "unrolled"]

Kernel = Callable[..., None]
"""Takes the addresses of the victim's state, the attacker's and the counters, and a number of iterations."""
LARGEST = 500
"""Sequences and non-zero payoffs of the largest game that is worth it: on larger ones seconds go and less is gained."""
PAYS_FROM = 1_000_000
"""Iterations that save more than the translation takes, on every game that fits (measured: 0.15 to 0.7 million)."""
COUNTERS = (ITERATION, WEIGHT)


def size_of(layout: DuelLayout) -> int:
    """Return what the program's length depends on: sequences and non-zero payoffs."""
    return layout.entries + len(layout.victim.order) + len(layout.attacker.order)


def pays(layout: DuelLayout, iterations: int) -> bool:
    """Whether so many iterations on this game take less time with the translation than without."""
    return size_of(layout) <= LARGEST and iterations >= PAYS_FROM


def unrolled(engine: Engine, predictive: bool) -> Kernel:
    """Write and translate the loop of `cfr_kernels.run`, without its checks, for one engine."""
    module, address = ir.Module(), REAL.as_pointer()
    loop = ir.Function(module, ir.FunctionType(ir.VoidType(), [address, address, address, WHOLE]), "loop")
    _Loop(engine, predictive).write(loop)
    return host_code(module, "loop", *[ctypes.c_void_p] * 3, ctypes.c_uint64)


class _Loop:
    """The loop over iterations: what it reads, carries round and writes back.

    The state is a flat list: two counters, then each side's regrets, behaviours and sums, vector after vector.
    """

    def __init__(self, engine: Engine, predictive: bool) -> None:
        layout = engine.layout
        self.victim, self.attacker = SideCode(layout.victim, None, 1.0), SideCode(layout.attacker, engine.limit, -1.0)
        self.predictive = predictive

    def write(self, loop: Any) -> None:
        """Fill the function `loop(victim, attacker, counters, iterations)`."""
        entry, head, body, end = (loop.append_basic_block(name) for name in ("entry", "head", "body", "end"))
        code = ir.IRBuilder(entry)
        places = self._places(code, *loop.args[:3])
        state = [code.load(place, align=8) for place in places]
        plan = self.attacker.plan(code, self._parted(state)[2][1])
        code.branch(head)
        code.position_at_end(head)
        begin = [WHOLE(0), *state, *plan]
        carried = [code.phi(value.type) for value in begin]
        done, state, plan = carried[0], carried[1 : 1 + len(places)], carried[1 + len(places) :]
        code.cbranch(code.icmp_unsigned("<", done, loop.args[3]), body, end)
        code.position_at_end(body)
        following = [code.add(done, WHOLE(1)), *self._iteration(code, state, plan)]
        code.branch(head)
        for phi, first, after in zip(carried, begin, following, strict=True):
            phi.add_incoming(first, entry)
            phi.add_incoming(after, body)
        code.position_at_end(end)
        for place, value in zip(places, state, strict=True):
            code.store(value, place, align=8)
        code.ret_void()

    def _places(self, code: Any, victim: Any, attacker: Any, counters: Any) -> list[Any]:
        """Return the addresses of the state, each as a pointer to what it holds."""
        places = [code.gep(counters, [WHOLE(at)]) for at in COUNTERS]
        for side, address in ((self.victim, victim), (self.attacker, attacker)):
            starts = [(row * len(side.above) + span.start, len(span)) for row in range(3) for span in side.spans]
            places += [code.bitcast(code.gep(address, [WHOLE(at)]), vector(n).as_pointer()) for at, n in starts]
        return places

    def _parted(self, state: list[Any]) -> tuple[list[Any], list[list[Any]], list[list[Any]]]:
        """Return the counters, and of each side lists of regrets, behaviours and sums."""
        counters, rest, sides = state[: len(COUNTERS)], state[len(COUNTERS) :], []
        for side in (self.victim, self.attacker):
            count = len(side.spans)
            sides.append([rest[row * count : (row + 1) * count] for row in range(3)])
            rest = rest[3 * count :]
        return counters, sides[0], sides[1]

    def _iteration(self, code: Any, state: list[Any], plan: list[Any]) -> list[Any]:
        """Write one iteration; return the state after it and the attacker's plan."""
        (iteration, total), victim, attacker = self._parted(state)
        iteration = code.fadd(iteration, REAL(1.0))
        weight = code.fmul(iteration, iteration) if self.predictive else iteration
        plan = self.victim.half(code, self.attacker, plan, victim, weight, self.predictive)
        plan = self.attacker.half(code, self.victim, plan, attacker, weight, self.predictive)
        rows = [value for row in (*victim, *attacker) for value in row]
        return [iteration, code.fadd(total, weight), *rows, *plan]
