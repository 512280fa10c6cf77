"""The one loop that all iterative solvers run in: trace, averages, interruption and resumption.

A solver says how it begins and how it advances by one iteration; everything else is here.
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from sparring.attack_game import AttackGame, Effort, LearnerState, Operation, Side, StepInfo
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.solver import Answer, PolicyKind, Run, Solver, TraceRow
from sparring.streams import stream
from sparring_plugins.solvers._checkpoint import load_checkpoint, save_checkpoint
from sparring_plugins.solvers._progress import Progress

__all__ = ["IterativeOptions", "IterativeSolver", "Play"]


class IterativeOptions(PluginOptions):
    """Options that all iterative solvers share."""

    policy: Literal["last", "averaged", "best", "drawn"] = Field(
        "best",
        description="which victim to hand over: the `last` iterate, the `averaged` one, the `best` of the traced "
        "iterates, or one `drawn` in proportion to the step sizes",
    )
    learner: str = Field("direct", description="which learner the form is to use, by spec")


@dataclass(frozen=True)
class Play:
    """Both learners between two iterations, with what a solver remembers besides."""

    victim: LearnerState
    attacker: LearnerState
    memory: Mapping[str, tuple[Policy, ...]] = field(default_factory=dict)
    """Policies that the solver keeps, by name; those under names that start with `victim` are the victim's."""


class IterativeSolver(Solver):
    """A solver that advances both learners iteration by iteration."""

    needs: ClassVar[frozenset[Operation]] = frozenset({Operation.STEP_VICTIM, Operation.STEP_ATTACKER})
    Options: ClassVar[type[PluginOptions]] = IterativeOptions

    def begin(self, duel: AttackGame, seed: int) -> Play:
        """Start both learners."""
        learner = self.options.learner
        return Play(duel.start(Side.VICTIM, seed, learner), duel.start(Side.ATTACKER, seed, learner))

    @abstractmethod
    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """One iteration; `iteration` counts from 0, `effort` limits each trained response."""

    def weight(self, iteration: int) -> float:
        """Weight of the victim after an iteration in the average and the draw (theorem 5.3: its step size)."""
        return 1.0

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Iterate, keep the trace, and hand over the policy that the options ask for."""
        progress = self._resume(duel, run)
        interrupted = False
        began = time.perf_counter() - progress.seconds
        try:
            while progress.iteration < run.iterations:
                progress = self._iterate(duel, run, progress)
                progress = replace(progress, seconds=time.perf_counter() - began)
                if progress.iteration % run.stride == 0 or progress.iteration == run.iterations:
                    paused = time.perf_counter()
                    progress = _score(duel, run, progress)
                    if run.folder is not None:
                        save_checkpoint(duel, self, run, progress)
                    if run.report is not None:
                        run.report(progress.trace[-1])
                    began += time.perf_counter() - paused
        except KeyboardInterrupt:
            interrupted = True
        if not progress.trace or progress.trace[-1].iteration != progress.iteration:
            progress = _score(duel, run, progress)  # the trace must end with what is handed over
        kind: PolicyKind = self.options.policy
        return Answer(
            policy=_chosen(duel, progress, kind),
            kind=kind,
            trace=progress.trace,
            attacker=duel.freeze(progress.play.attacker),
            optimum=run.optimum,
            interrupted=interrupted,
        )

    def _resume(self, duel: AttackGame, run: Run) -> Progress:
        """Where a run in the same folder stopped, or the beginning."""
        found = None if run.folder is None else load_checkpoint(duel, self, run)
        return Progress(play=self.begin(duel, run.seed)) if found is None else found

    def _iterate(self, duel: AttackGame, run: Run, progress: Progress) -> Progress:
        """Advance once, then take the new victim into the average and the draw."""
        rng = stream(run.seed, "iterate", progress.iteration)
        play, info = self.advance(duel, progress.play, progress.iteration, rng, run.effort)
        victim = duel.freeze(play.victim)
        weight = self.weight(progress.iteration)
        total = progress.total_weight + weight
        drawn = victim if rng.random() < weight / total else progress.drawn
        # A mixture keeps every policy in it; where its exploitability is not told, only one that is asked for is kept.
        wanted = duel.can.scores_average or self.options.policy == "averaged"
        averaged = duel.mix(progress.averaged, victim, weight / total, Side.VICTIM) if wanted else None
        return replace(
            progress,
            play=play,
            iteration=progress.iteration + 1,
            steps=progress.steps + info.steps,
            gradient_norm=info.gradient_norm,
            averaged=averaged,
            total_weight=total,
            drawn=drawn,
        )


def _score(duel: AttackGame, run: Run, progress: Progress) -> Progress:
    """Add a row to the trace and keep the best victim seen in it."""
    victim = duel.freeze(progress.play.victim)
    seed = int(stream(run.seed, "trace", progress.iteration).integers(2**31))
    last = duel.exploitability(victim, run.score_effort, seed).lower
    averaged = None
    if duel.can.scores_average and progress.averaged is not None:
        averaged = duel.exploitability(progress.averaged, run.score_effort, seed).lower
    seen = [row.last for row in progress.trace] + [last]
    row = TraceRow(
        iteration=progress.iteration,
        steps=progress.steps,
        seconds=progress.seconds,
        last=last,
        averaged=averaged,
        mean=float(np.mean(seen)),
        gap=None if run.optimum is None else last - run.optimum.exploitability,
        gradient_norm=progress.gradient_norm,
    )
    better = progress.best is None or last < min(seen[:-1], default=np.inf)
    return replace(progress, trace=(*progress.trace, row), best=victim if better else progress.best)


def _chosen(duel: AttackGame, progress: Progress, kind: PolicyKind) -> Policy:
    """The victim of the declared kind."""
    victims = {"averaged": progress.averaged, "best": progress.best, "drawn": progress.drawn}
    found = victims.get(kind)
    return duel.freeze(progress.play.victim) if found is None else found
