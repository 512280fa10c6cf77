"""Fictitious play."""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Effort, Operation, Side, StepInfo
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.solver import Solver
from sparring_plugins.solvers._loop import IterativeOptions, IterativeSolver, Play


class FictitiousPlayOptions(IterativeOptions):
    """Options of `fictitious-play`; its averaged victim is the one that converges."""

    policy: Literal["last", "averaged", "best", "drawn"] = Field("averaged", description="which victim to hand over")


class FictitiousPlay(IterativeSolver):
    """Both answer the average of all that the other has played."""

    name: ClassVar[str] = "fictitious-play"
    summary: ClassVar[str] = "each side best-responds to the other's average"
    source: ClassVar[str] = "Brown 1951; Heinrich, Lanctot, Silver 2015 (extensive-form averages)"
    Options: ClassVar[type[PluginOptions]] = FictitiousPlayOptions
    needs: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.RESPOND_VICTIM, Operation.RESPOND_ATTACKER, Operation.RESPOND_MIXTURE}
    )

    def begin(self, duel: AttackGame, seed: int) -> Play:
        """Averages start as the first policies."""
        play = super().begin(duel, seed)
        first = {"victim": (duel.freeze(play.victim),), "attacker": (duel.freeze(play.attacker),)}
        return Play(play.victim, play.attacker, first)

    def advance(
        self, duel: AttackGame, play: Play, iteration: int, rng: np.random.Generator, effort: Effort | None
    ) -> tuple[Play, StepInfo]:
        """`y' = BR(average x), x' = BR(average y)`, then both averages take the new ones."""
        average_victim, average_attacker = play.memory["victim"][0], play.memory["attacker"][0]
        attacker, first = duel.respond(Side.ATTACKER, average_victim, warm=play.attacker, effort=effort, rng=rng)
        victim, second = duel.respond(Side.VICTIM, average_attacker, warm=play.victim, effort=effort, rng=rng)
        weight = 1.0 / (iteration + 2)
        memory: dict[str, tuple[Policy, ...]] = {
            "victim": (duel.mix(average_victim, duel.freeze(victim), weight, Side.VICTIM),),
            "attacker": (duel.mix(average_attacker, duel.freeze(attacker), weight, Side.ATTACKER),),
        }
        return Play(victim, attacker, memory), StepInfo(first.steps + second.steps)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `fictitious-play`."""
    return [FictitiousPlay]
