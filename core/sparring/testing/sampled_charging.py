"""Checks of charging on the simulated form: every step of every episode is held against what was declared."""

from __future__ import annotations

import contextlib
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from sparring.attack_game import Side
from sparring.budgets import BudgetKind
from sparring.errors import RefusedError, RequestError
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.episodes import Episodes, play
from sparring.simulated.game import SimulatedGame
from sparring.testing.cases import amount_at, amounts
from sparring.testing.check import CheckSkipped
from sparring.testing.declared_power import Tally, fault_of
from sparring.testing.logged import Log, WatchedVictim, logged
from sparring.testing.pilots import Pusher
from sparring.testing.searching import search
from sparring.testing.subject import Subject

__all__ = [
    "MIXING",
    "SampledCase",
    "Sampling",
    "arrives_whole",
    "budget_is_respected",
    "episodes_do_not_mix",
    "is_zero_sum",
    "mixing",
    "nominal_is_unchanged",
    "usable_sampled",
]

Floats = NDArray[np.float64]
SEEDS = tuple(range(100, 107))
NETWORKS = 1e-5
"""How far apart networks may round returns, whose products differ with the size of a batch."""
ROWS, COLUMNS = 7, 63
"""Of a table of proposals."""


@dataclass(frozen=True, eq=False)
class SampledCase:
    """A simulated game that is attacked in one way, at any budget."""

    label: str
    maker: Callable[[], SimulatedGame]
    kind: BudgetKind
    attacked: Callable[[SimulatedGame, float], SimulatedAttackGame]
    """The attack game at a budget; raises RefusedError where there is none."""
    victim: Callable[[SimulatedGame], Policy]
    seeds: tuple[int, ...] = SEEDS

    def make(self, amount: float) -> tuple[SimulatedAttackGame, Policy]:
        """Attack game and victim at a budget, with room for just its episodes."""
        game = self.maker()
        return self.attacked(game, amount).in_batches(len(self.seeds)), self.victim(game)


def usable_sampled(cases: list[SampledCase], nothing: str) -> list[SampledCase]:
    """The cases that are not declined.

    Raises:
        CheckSkipped: all are.
    """
    kept = []
    for case in cases:
        with contextlib.suppress(RefusedError):
            case.make(amounts(case.kind)[-1])
            kept.append(case)
    if not kept:
        raise CheckSkipped(nothing)
    return kept


class Sampling(Protocol):
    """A bench with simulated attack games."""

    @property
    def subject(self) -> Subject:
        """The plugin."""

    @property
    def sampled_cases(self) -> list[SampledCase]:
        """What can be attacked."""

    @property
    def trials(self) -> int:
        """How long to search."""


def budget_is_respected(bench: Sampling) -> None:
    """Search for proposals, numbers or not, that buy more than the budget at any step."""
    cases = bench.sampled_cases
    tallies = [Tally() for _ in cases]

    def trial(part: float, rng: np.random.Generator) -> None:
        place = int(rng.integers(len(cases)))
        case, log = cases[place], Log()
        amount = amount_at(case.kind, part)
        duel = case.attacked(logged(case.maker(), log), amount).in_batches(len(case.seeds))
        victim, table = WatchedVictim(case.victim(duel.game), log), _table(rng)
        try:
            duel.play(victim, Pusher(table), case.seeds)
        except RequestError as error:
            if np.isfinite(table).all():
                raise bench.subject.failure(
                    f"a proposal of numbers is refused: {error}", "take every number, and charge it", case.label
                ) from error
            return
        fault = fault_of(duel.charged, log.moments(victim), duel.game.action, tallies[place])
        if fault:
            raise bench.subject.failure(fault, CHARGING, case.label)

    search(trial, bench.trials)
    for case, tally in zip(cases, tallies, strict=True):
        if tally.fault:
            raise bench.subject.failure(tally.fault, CHARGING, case.label)


CHARGING = "declare what may be touched and leave the charging to the core"


def _table(rng: np.random.Generator) -> Floats:
    """Proposals of all sorts, [rows, width]: small, at the corners, far too large, single ones, and none at all."""
    shape = (ROWS, COLUMNS)
    drawn = rng.normal(size=shape)
    sorts = (
        drawn,
        np.sign(drawn),
        drawn * 10.0 ** rng.integers(-300, 308),
        np.where(drawn > 1, 1e308, 0.0),
        np.zeros(shape),
        np.where(rng.random(shape) < 0.05, rng.choice([np.nan, np.inf, -np.inf]), drawn),
    )
    return sorts[int(rng.integers(len(sorts)))]


def _corners(seed: int) -> Floats:
    """Proposals at the corners of the budget, [rows, width]."""
    return np.sign(np.random.default_rng(seed).normal(size=(ROWS, COLUMNS)))


def nominal_is_unchanged(bench: Sampling) -> None:
    """Without an attack, and at budget 0, episodes are those of the game itself, bit for bit."""
    for case in bench.sampled_cases:
        rng = np.random.default_rng(40)  # of the drawn attackers
        for amount in amounts(case.kind)[:3:2]:
            duel, victim = case.make(amount)
            own = play(duel.game.world(len(case.seeds)), victim, case.seeds)
            attackers: list[Policy | None] = [None]
            attackers += [] if amount > 0 else [Pusher(_corners(40)), duel.draw(Side.ATTACKER, rng)]
            for attacker in attackers:
                if not _alike(duel.play(victim, attacker, case.seeds), own):
                    who = "without an attack" if attacker is None else "under an attacker with budget 0"
                    raise bench.subject.failure(
                        f"{who} episodes are others than those of the game itself",
                        "change nothing but what the attacker does, and that only by the budget",
                        case.label,
                    )


def is_zero_sum(bench: Sampling) -> None:
    """What the attacker's own world gives it is the negative of what the victim gets, bit for bit."""
    for case in bench.sampled_cases:
        duel, victim = case.make(amount_at(case.kind, 0.5))
        table = _corners(41)
        gained = _gained(duel, victim, table, case.seeds)
        lost = duel.play(victim, Pusher(table), case.seeds).returns
        if not np.array_equal(gained, -lost):
            raise bench.subject.failure(
                f"the attacker's returns are {gained.tolist()}, the victim's {lost.tolist()}",
                "let the attacker gain just what the victim loses",
                case.label,
            )


def _gained(duel: SimulatedAttackGame, victim: Policy, table: Floats, seeds: tuple[int, ...]) -> Floats:
    """The attacker's returns in its view of the attack game, proposing row after row."""
    view = duel.view(Side.ATTACKER, victim, len(seeds))
    width = sum(channel.width for channel in duel.channels)
    view.reset(seeds)
    total, running, count = np.zeros(len(seeds)), np.ones(len(seeds), dtype=np.bool_), 0
    while running.any():
        step = view.step(np.tile(table[count % ROWS, np.arange(width) % COLUMNS], (len(seeds), 1)))
        total[running] += step.rewards[running]
        running, count = running & ~step.finished, count + 1
    return total


def arrives_whole(bench: Sampling) -> None:
    """What arrives by pickle plays the same episodes."""
    for case in bench.sampled_cases:
        duel, victim = case.make(amount_at(case.kind, 0.5))
        attacker = Pusher(_corners(43))
        before = duel.play(victim, attacker, case.seeds)
        try:
            arrived, theirs = pickle.loads(pickle.dumps((duel, victim)))
            fault = (
                ""
                if _alike(arrived.play(theirs, attacker, case.seeds), before)
                else "it plays otherwise where it arrives"
            )
        except Exception as error:
            fault = f"it cannot be pickled: {type(error).__name__}: {error}"
        if fault:
            raise bench.subject.failure(fault, "pickle all that it computes with: arrays and numbers", case.label)


def episodes_do_not_mix(bench: Sampling) -> None:
    """The return of an episode depends on its own seed alone: on no batch, no order, and nothing left of others."""
    for case in bench.sampled_cases:
        duel, victim = case.make(amount_at(case.kind, 0.5))
        fault = mixing(duel, victim, Pusher(_corners(42)), case.seeds, exact=True)
        if fault:
            raise bench.subject.failure(fault, MIXING, case.label)


MIXING = "let every row depend on its own episode: memory renewed row by row, chance drawn from the streams handed over"


def mixing(
    duel: SimulatedAttackGame, victim: Policy, attacker: Policy | None, seeds: tuple[int, ...], *, exact: bool
) -> str:
    """What shows that episodes mix; `exact` where nothing in it rounds differently in batches of another size.

    Where something does, an attack that climbs by the signs of gradients, or a victim that takes the best of two like
    actions, may once in a while turn the other way. Episodes that mix differ for the most part.
    """
    together = duel.in_batches(len(seeds)).play(victim, attacker, seeds).returns
    backwards = tuple(reversed(seeds))
    others = {
        "one by one": duel.in_batches(1).play(victim, attacker, seeds).returns,
        "two at once, in another order": duel.in_batches(2).play(victim, attacker, backwards).returns[::-1],
    }
    for how, returns in others.items():
        alike = np.isclose(together, returns, rtol=NETWORKS, atol=NETWORKS)
        if together.tobytes() != returns.tobytes() if exact else 2 * alike.sum() < len(seeds):
            return f"played {how}, episodes give {returns.tolist()}, together {together.tolist()}"
    return ""


def _alike(one: Episodes, other: Episodes) -> bool:
    pairs: list[tuple[Any, Any]] = [(one.returns, other.returns), (one.lengths, other.lengths)]
    return all(mine.tobytes() == theirs.tobytes() for mine, theirs in pairs)
