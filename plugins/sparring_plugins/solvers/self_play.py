"""Self-play against opponents drawn from history."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, StepInfo
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeOptions, IterativeSolver, Play
from sparring_plugins.solvers._rates import Decay, rate_at


class SelfPlayOptions(IterativeOptions):
    """Options of `self-play`."""

    rate: float = Field(0.1, gt=0, description="the step size of both")
    decay: Decay = Field("none", description="how the step size falls: `none`, or `sqrt` for rate / sqrt(t + 1)")
    delta: float = Field(0.5, ge=0, le=1, description="opponents come from the newest 1 - delta of the history")
    every: int = Field(
        1, ge=1, description="iterations between snapshots that enter the history", json_schema_extra=unit("iterations")
    )
    history: int = Field(
        200, ge=1, description="snapshots kept of each side; the oldest go first", json_schema_extra=unit("snapshots")
    )


class SelfPlay(IterativeSolver):
    """Each side steps against an opponent drawn from the other's past snapshots."""

    name: ClassVar[str] = "self-play"
    summary: ClassVar[str] = "each side steps against opponents drawn from the other's history"
    source: ClassVar[str] = "Bansal et al. 2018 (opponent sampling)"
    Options: ClassVar[type[PluginOptions]] = SelfPlayOptions

    def begin(self, duel: AttackGame, seed: int) -> Play:
        """The first policies open the history."""
        play = super().begin(duel, seed)
        first = {"victim": (duel.freeze(play.victim),), "attacker": (duel.freeze(play.attacker),)}
        return Play(play.victim, play.attacker, first)

    def weight(self, iteration: int) -> float:
        """The step size."""
        return rate_at(self.options.rate, self.options.decay, iteration)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """Draw one opponent for each side, then step."""
        rate = self.weight(iteration)
        attacker, spent = duel.step(play.attacker, self._drawn(play.memory["victim"], rng), rate, rng)
        victim, info = duel.step(play.victim, self._drawn(play.memory["attacker"], rng), rate, rng)
        memory = dict(play.memory)
        if (iteration + 1) % self.options.every == 0:
            for name, state in (("victim", victim), ("attacker", attacker)):
                memory[name] = (*memory[name], duel.freeze(state))[-self.options.history :]
        return Play(victim, attacker, memory), StepInfo(info.steps + spent.steps, info.gradient_norm)

    def _drawn(self, past: tuple[Policy, ...], rng: np.random.Generator) -> Policy:
        """Uniform over the newest part of the history; at least the newest one."""
        first = min(int(self.options.delta * len(past)), len(past) - 1)
        return past[int(rng.integers(first, len(past)))]


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `self-play`."""
    return [SelfPlay]
