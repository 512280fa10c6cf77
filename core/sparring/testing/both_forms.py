"""Checks of charging that hold on exact and on simulated games alike, each looked at in its own way."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

from sparring.testing import charging, pickling, responding, sampled_charging
from sparring.testing.charging import Chargeable
from sparring.testing.check import on_each
from sparring.testing.sampled_charging import Sampling

__all__ = [
    "attack_games_pickle",
    "budget_respected",
    "nominal_unchanged",
    "returns_do_not_depend_on_the_batch",
    "stays_zero_sum",
]


class Charged(Chargeable, Sampling, Protocol):
    """A bench with attack games of both sorts."""


def _look(bench: Charged, exact: Callable[[Any], None], sampled: Callable[[Any], None]) -> None:
    parts = [partial(exact, bench)] if bench.subject.exact_forms else []
    on_each(*parts, *([partial(sampled, bench)] if bench.subject.simulated else []))


def budget_respected(bench: Charged) -> None:
    """No attacker that a search can find does more than the budget allows, and the strongest does just that."""
    _look(bench, charging.budget_respected, sampled_charging.budget_is_respected)


def nominal_unchanged(bench: Charged) -> None:
    """Without an attack, and under any attacker with budget 0, the victim gets what the game itself gives it."""
    _look(bench, charging.nominal_unchanged, sampled_charging.nominal_is_unchanged)


def stays_zero_sum(bench: Charged) -> None:
    """What the attacker gains the victim loses: seats swap with the sign, and no victim beats the optimum."""
    _look(bench, responding.stays_zero_sum, sampled_charging.is_zero_sum)


def attack_games_pickle(bench: Charged) -> None:
    """An attack game can be sent to a worker process and gives the same values there."""
    _look(bench, pickling.attack_games_pickle, sampled_charging.arrives_whole)


def returns_do_not_depend_on_the_batch(bench: Sampling) -> None:
    """An episode's return depends on its own seed alone: on no batch, no order, and nothing left of another episode."""
    sampled_charging.episodes_do_not_mix(bench)
