"""Whether the trace of a solver is true where values are sampled: held against evaluations of what it hands over."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from sparring.attack_game import AttackGame
from sparring.errors import RefusedError
from sparring.solver import Answer
from sparring.streams import stream
from sparring.testing.arena import Stage
from sparring.testing.check import CheckSkipped
from sparring.testing.sampled_arena import EFFORT
from sparring.testing.solvers import LEARNING, SolverBench

__all__ = ["trace_agrees_with_evaluation"]

RUNS = 4
"""Runs of the solver on each attack game."""
AGAIN = 4
"""Evaluations that each is compared with, on episodes that no other run is compared on."""
EPISODES = 100
"""By which the spread of returns is known, and the solver's own attacker is measured."""
SCORED = 20
"""Episodes behind a row of a trace."""
EACH, TOGETHER = 6.0, 4.5
"""Standard errors that a row, and the mean of all rows, may be off."""


@dataclass(frozen=True)
class Compared:
    """What a trace says of the policy handed over, and what evaluations say."""

    label: str
    told: float
    found: float
    error: float
    """Standard error of the difference."""


def trace_agrees_with_evaluation(bench: SolverBench) -> None:
    """Where values are sampled, the trace says of what is handed over what evaluations on other episodes say."""
    stages = [stage for stage in bench.stages() if not stage.form.exact]
    rows = [row for stage in stages for seed in range(RUNS) for row in _compared(bench, stage, seed)]
    if not rows:
        raise CheckSkipped("it hands over nothing on sampled forms that a row of its trace speaks of")
    for row in rows:
        if abs(row.told - row.found) > EACH * row.error:
            raise bench.subject.failure(_words(row.told, row.found, EACH * row.error), REMEDY, row.label)
    off = float(np.mean([row.told - row.found for row in rows]))
    error = math.sqrt(sum(row.error**2 for row in rows)) / len(rows)
    if abs(off) > TOGETHER * error:
        told, found = (float(np.mean(values)) for values in zip(*((row.told, row.found) for row in rows), strict=True))
        raise bench.subject.failure(_words(told, found, TOGETHER * error), REMEDY, f"{len(rows)} runs, on average")


REMEDY = "put into a row what duel.exploitability(victim, run.score_effort, seed).lower gives at that moment"


def _words(told: float, found: float, room: float) -> str:
    return f"its trace says exploitability {told:.4g}, evaluations give {found:.4g}, with chance for {room:.2g} at most"


def _compared(bench: SolverBench, stage: Stage, seed: int) -> list[Compared]:
    """One run, where it does not decline and hands over an iterate that its trace has a value of."""
    duel = stage.make()
    try:
        # A single row, at the end: of several the best one is best by chance as well.
        answer = bench.solve(duel, seed=seed, trace_every=LEARNING)
    except RefusedError:
        return []
    told = {"last": answer.trace[-1].last, "best": min(row.last for row in answer.trace),
            "averaged": answer.trace[-1].averaged}.get(answer.kind)  # fmt: skip
    if told is None:
        return []
    spread = duel.measure(answer.policy, None, stream(seed, "spread"), EPISODES)
    assert spread.returns is not None
    deviation = float(np.std(spread.returns, ddof=1))
    # A row is one sample of SCORED episodes, an evaluation here the mean of as many for each of its seeds.
    error = deviation * math.sqrt((1 + 1 / AGAIN) / SCORED)
    return [Compared(stage.label, told, _evaluated(duel, answer, seed), error)]


def _evaluated(duel: AttackGame, answer: Answer, seed: int) -> float:
    """What the oracles at hand, or the solver's own attacker where it is stronger, do to the policy handed over."""
    seeds = range(1000 + AGAIN * seed, 1000 + AGAIN * (seed + 1))
    by_oracles = float(np.mean([duel.exploitability(answer.policy, EFFORT, each).lower for each in seeds]))
    if answer.attacker is None:
        return by_oracles
    own = duel.measure(answer.policy, answer.attacker, stream(seed, "own"), EPISODES)
    return max(by_oracles, -float(own if own.ci95 is None else own.ci95[1]))
