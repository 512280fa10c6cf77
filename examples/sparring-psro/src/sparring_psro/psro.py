"""Policy-space response oracles: each side's population grows by best responses to the other's mixture."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from sparring import hookimpl
from sparring.attack_game import AttackGame, Operation, Side
from sparring.matrix.linear_program import max_min
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring.solver import Answer, Run, Solver, TraceRow
from sparring.streams import stream

__all__ = ["Psro", "PsroOptions"]


class PsroOptions(PluginOptions):
    """Options of `psro`."""

    tolerance: float = Field(
        1e-9, ge=0, description="stop where neither response gains more than this times the largest payoff seen"
    )


@dataclass(frozen=True, eq=False)
class Populations:
    """Every policy that either side has answered with, and what they score against each other."""

    victims: tuple[Policy, ...]
    attackers: tuple[Policy, ...]
    payoff: NDArray[np.float64]
    """The victim's return, [victims, attackers]."""


@dataclass(frozen=True, eq=False)
class Round:
    """The restricted game's solution, and what the best responses to it reach."""

    victim: Policy
    """The victim's mixture, as the form averages."""
    attacker: Policy
    floor: float
    """The victim's return against a best response to its mixture."""
    roof: float
    """The return of a best response to the attacker's mixture."""
    answers: tuple[Policy, Policy]
    """The best responses of victim and attacker."""
    steps: int

    @property
    def gain(self) -> float:
        """What the responses gain over the mixtures, both together; 0 at a solution of the whole game."""
        return self.roof - self.floor


class Psro(Solver):
    """Double oracle: solve the game between the populations, let both sides answer its mixtures, add the answers.

    It stops before its iterations are done once neither answer gains anything: the mixture is then the optimum.
    There are finitely many deterministic answers, so on exact forms it gets there.
    """

    name: ClassVar[str] = "psro"
    summary: ClassVar[str] = "double oracle: populations that grow by best responses to each other's mixtures"
    source: ClassVar[str] = "McMahan, Gordon, Blum 2003 (double oracle); Lanctot et al. 2017, algorithm 1"
    interface: ClassVar[int] = 1
    # Tabular Markov games offer no answer to a mixture drawn once an episode, so the core refuses them by this.
    needs: ClassVar[frozenset[Operation]] = frozenset(
        {Operation.RESPOND_VICTIM, Operation.RESPOND_ATTACKER, Operation.RESPOND_MIXTURE}
    )
    Options: ClassVar[type[PluginOptions]] = PsroOptions

    def solve(self, duel: AttackGame, run: Run) -> Answer:
        """Grow both populations until neither side gains, and hand over the best of the traced mixtures."""
        known = _begin(duel, run)
        trace: tuple[TraceRow, ...] = ()
        best: Policy | None = None
        latest: Round | None = None
        steps, seconds = 0, 0.0
        for iteration in range(1, run.iterations + 1):
            began = time.perf_counter()
            latest = _advance(duel, run, known, iteration)
            done = latest.gain <= self.options.tolerance * max(1.0, float(np.abs(known.payoff).max()))
            known = known if done else _grown(duel, run, known, latest, iteration)
            steps, seconds = steps + latest.steps, seconds + time.perf_counter() - began
            if done or iteration % run.stride == 0 or iteration == run.iterations:
                row = _row(duel, run, latest.victim, trace, iteration, steps, seconds)
                best = latest.victim if row.last <= min((r.last for r in trace), default=row.last) else best
                trace = (*trace, row)
                if run.report is not None:
                    run.report(row)
            if done:
                break
        assert best is not None
        assert latest is not None
        return Answer(best, "best", trace, attacker=latest.attacker, optimum=run.optimum)


def _begin(duel: AttackGame, run: Run) -> Populations:
    """One policy a side, drawn from the seed."""
    victim = duel.freeze(duel.start(Side.VICTIM, run.seed))
    attacker = duel.freeze(duel.start(Side.ATTACKER, run.seed))
    payoff = duel.measure(victim, attacker, stream(run.seed, "payoff", 0, 0))
    return Populations((victim,), (attacker,), np.full((1, 1), float(payoff)))


def _advance(duel: AttackGame, run: Run, known: Populations, iteration: int) -> Round:
    """Solve the restricted game exactly (linear programme, both seats) and answer both mixtures."""
    rng = stream(run.seed, "iterate", iteration)
    victim = _mixed(duel, known.victims, max_min(known.payoff)[0], Side.VICTIM)
    attacker = _mixed(duel, known.attackers, max_min(-known.payoff.T)[0], Side.ATTACKER)
    against_victim, floor = duel.respond(Side.ATTACKER, victim, effort=run.effort, rng=rng)
    against_attacker, roof = duel.respond(Side.VICTIM, attacker, effort=run.effort, rng=rng)
    answers = duel.freeze(against_attacker), duel.freeze(against_victim)
    return Round(victim, attacker, float(floor), float(roof), answers, floor.steps + roof.steps)


def _mixed(duel: AttackGame, policies: tuple[Policy, ...], weights: NDArray[np.float64], side: Side) -> Policy:
    """The policies averaged by weight, in the way of the form."""
    average: Policy | None = None
    total = 0.0
    for policy, weight in zip(policies, weights, strict=True):
        if weight > 0:
            total += float(weight)
            average = duel.mix(average, policy, float(weight) / total, side)
    assert average is not None
    return average


def _grown(duel: AttackGame, run: Run, known: Populations, latest: Round, iteration: int) -> Populations:
    """Both answers join, and are measured against everything that the other side has."""
    victim, attacker = latest.answers
    grown = replace(known, victims=(*known.victims, victim), attackers=(*known.attackers, attacker))

    def measured(row: int, column: int) -> float:
        rng = stream(run.seed, "payoff", row, column)
        return float(duel.measure(grown.victims[row], grown.attackers[column], rng))

    payoff = np.empty((len(grown.victims), len(grown.attackers)))
    payoff[:-1, :-1] = known.payoff
    payoff[-1] = [measured(len(payoff) - 1, column) for column in range(payoff.shape[1])]
    payoff[:-1, -1] = [measured(row, payoff.shape[1] - 1) for row in range(len(payoff) - 1)]
    return replace(grown, payoff=payoff)


def _row(
    duel: AttackGame, run: Run, victim: Policy, trace: tuple[TraceRow, ...], iteration: int, steps: int, seconds: float
) -> TraceRow:
    """The mixture is what an iteration arrives at, so it is the `last` of its row."""
    last = duel.exploitability(victim, run.score_effort).lower
    mean = float(np.mean([*(row.last for row in trace), last]))
    gap = None if run.optimum is None else last - run.optimum.exploitability
    return TraceRow(iteration, steps, seconds, last, None, mean, gap, None)


@hookimpl
def sparring_solvers() -> list[type[Solver]]:
    """Give `psro`."""
    return [Psro]
