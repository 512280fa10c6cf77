"""Counterfactual regret minimisation plus, for the budget-constrained game."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sparring import hookimpl
from sparring.array_files import read_npz
from sparring.attack_game import AttackGame, Side
from sparring.errors import RefusedError, RequestError
from sparring.extensive.attack_game import ExtensiveAttackGame
from sparring.files import write_whole
from sparring.forms import Form
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.solver import Answer, Run, Solver, TraceRow
from sparring_plugins.solvers._checkpoint import check_identity, identity

if TYPE_CHECKING:
    from sparring.extensive.cfr import RegretMatching

CHECKPOINT = "cfr.npz"


class CfrPlusOptions(PluginOptions):
    """Options of `cfr+`."""

    predictive: bool = Field(False, description="PCFR+: regrets predict the next loss, averages weigh quadratically")
    target: float = Field(
        0.0,
        ge=0,
        description="stop once the gap between both averages is this small",
        json_schema_extra=unit("victim's return"),
    )
    policy: Literal["averaged", "last"] = Field("averaged", description="which victim to hand over")
    kernel: Literal["auto", "table", "unrolled"] = Field(
        "auto",
        description="how iterations are computed, to the same numbers: 'table' walks the game's arrays, 'unrolled' "
        "translates a small game into a program of its own first, 'auto' does so from a million iterations on",
    )


class CfrPlus(Solver):
    """Both sides minimise counterfactual regret; the attacker only that of the part it controls.

    The victim's regrets are over its actions, the attacker's over the adversarial part of its behaviour: the benign
    part is not its choice. Regrets are floored at 0, updates alternate, averages of realisation plans are weighted by
    the iteration. The whole loop is compiled; the trace is taken between blocks of it.
    """

    name: ClassVar[str] = "cfr+"
    summary: ClassVar[str] = "CFR+ on the budget-constrained game, and its predictive variant (extensive-form games)"
    source: ClassVar[str] = "Tammelin 2014; Farina, Kroer, Sandholm 2021 (predictive)"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.EXTENSIVE})
    Options: ClassVar[type[PluginOptions]] = CfrPlusOptions

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Iterate until the iterations are done or the target gap is reached."""
        from sparring.extensive.cfr import RegretMatching

        if not isinstance(duel, ExtensiveAttackGame):
            raise RefusedError(f"solver cfr+ on {duel.game.spec}: needs an attack game on a tree")
        matching = RegretMatching(duel.engine, self.options.predictive, self._unrolls(duel, run.iterations))
        trace = self._resume(duel, run, matching)
        seconds = trace[-1].seconds if trace else 0.0
        interrupted = False
        try:
            while matching.iterations < run.iterations and matching.gap > self.options.target:
                block = min(run.stride, run.iterations - matching.iterations)
                began = time.perf_counter()
                matching.run(block, every=block, target=self.options.target)
                seconds += time.perf_counter() - began
                trace = (*trace, _row(duel, run, matching, trace, seconds))
                if run.folder is not None:
                    self._save(duel, run, matching, trace)
                if run.report is not None:
                    run.report(trace[-1])
        except KeyboardInterrupt:
            interrupted = True
        if not trace or trace[-1].iteration != matching.iterations:
            trace = (*trace, _row(duel, run, matching, trace, seconds))
        averaged, last = _victims(duel, matching)
        kind: Literal["averaged", "last"] = self.options.policy
        chosen = averaged if kind == "averaged" else last
        return Answer(chosen, kind, trace, optimum=run.optimum, interrupted=interrupted)

    def _unrolls(self, duel: ExtensiveAttackGame, iterations: int) -> bool:
        """Whether to unroll, as asked or where it pays."""
        from sparring.extensive.unrolled import LARGEST, pays, size_of

        layout = duel.engine.layout
        if self.options.kernel == "unrolled" and size_of(layout) > LARGEST:
            raise RefusedError(
                f"solver cfr+ on {duel.game.spec}: kernel=unrolled takes games of at most {LARGEST} sequences and "
                f"non-zero payoffs, this one has {size_of(layout):,}; choose kernel=table"
            )
        return self.options.kernel == "unrolled" or (self.options.kernel == "auto" and pays(layout, iterations))

    def _save(self, duel: AttackGame, run: Run, matching: RegretMatching, trace: tuple[TraceRow, ...]) -> None:
        assert run.folder is not None
        header = json.dumps({"of": identity(duel, self, run), "trace": [asdict(row) for row in trace]})
        with write_whole(run.folder / CHECKPOINT) as stream:
            np.savez(stream, header=np.asarray(header), victim=matching.victim, attacker=matching.attacker,
                     counters=matching.counters)  # fmt: skip

    def _resume(self, duel: AttackGame, run: Run, matching: RegretMatching) -> tuple[TraceRow, ...]:
        """Set the state that a run in this folder stopped at, and return its trace."""
        path = None if run.folder is None else run.folder / CHECKPOINT
        if path is None or not path.is_file():
            return ()
        header, arrays = _read(path)
        check_identity(header["of"], identity(duel, self, run), path.parent)
        matching.restore(**arrays)
        return tuple(TraceRow(**row) for row in header["trace"])


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[np.float64]]]:
    """The header of a checkpoint and the arrays of the state."""
    stored = read_npz(path)
    missing = [name for name in ("header", "victim", "attacker", "counters") if name not in stored]
    if missing:
        raise RequestError(f"{path}: no checkpoint of cfr+, it holds no {missing[0]!r}; remove it to start anew")
    return json.loads(str(stored.pop("header"))), stored


def _victims(duel: ExtensiveAttackGame, matching: RegretMatching) -> tuple[Policy, Policy]:
    """The averaged victim and the last one."""
    last = duel.policy_of_behaviour(matching.last_behaviours()[0], Side.VICTIM)
    if matching.iterations == 0:
        return last, last
    return duel.policy_of_plan(matching.averaged_plans()[0], Side.VICTIM), last


def _row(
    duel: ExtensiveAttackGame, run: Run, matching: RegretMatching, trace: tuple[TraceRow, ...], seconds: float
) -> TraceRow:
    averaged, last = (duel.exploitability(victim).lower for victim in _victims(duel, matching))
    return TraceRow(
        iteration=matching.iterations,
        steps=2 * matching.iterations,
        seconds=seconds,
        last=last,
        averaged=averaged,
        mean=float(np.mean([row.last for row in trace] + [last])),
        gap=None if run.optimum is None else last - run.optimum.exploitability,
        gradient_norm=None,
    )


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `cfr+`."""
    return [CfrPlus]
