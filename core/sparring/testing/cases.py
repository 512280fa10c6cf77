"""Attack games over a range of budgets: what the checks of charging, zero-sum play and nominal values look at."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from sparring.access import Access, Coin, OpponentAccess
from sparring.attack_game import AttackGame
from sparring.budgets import BudgetKind
from sparring.errors import RefusedError
from sparring.game import Game
from sparring.policy import Policy
from sparring.testing.check import CheckSkipped
from sparring.testing.ranges import Power

__all__ = ["Case", "amount_at", "amounts", "pure", "usable"]

WIDEST = 3.0
"""The greatest size that the kit tries where a budget has no limit."""


@dataclass(frozen=True, eq=False)
class Case:
    """A game with a seat, to be attacked at any budget."""

    label: str
    truth: Game
    """The game as it is: a copy that no plugin was handed, where the plugin is not the game's own."""
    seat: int | None
    benign: Policy | None
    kind: BudgetKind
    make: Callable[[float], AttackGame]
    """The attack game at a budget; raises RefusedError where there is none."""
    declared: Access | None = None
    """What is touched, where the kit itself said so."""

    def power(self, duel: AttackGame, amount: float) -> Power:
        """What an attacker may do at a budget, for `attack_range`."""
        access = duel.charged[0].access if self.declared is None else self.declared
        return Power(access, self.kind, amount, self.seat, self.benign)

    @cached_property
    def whole_seat(self) -> bool:
        """Whether at the greatest budget the attacker plays the other seat, with nothing held back and no coin."""
        access = self.make(amounts(self.kind)[-1]).charged[0].access
        whole = isinstance(access, OpponentAccess) and access.share is None and access.coin is Coin.DECISION
        return whole and self.truth.players == 2


def usable(cases: list[Case], nothing: str) -> list[Case]:
    """The cases that are not declined.

    Raises:
        CheckSkipped: all are.
    """
    kept = []
    for case in cases:
        try:
            case.make(amounts(case.kind)[-1])
            kept.append(case)
        except RefusedError:
            continue
    if not kept:
        raise CheckSkipped(nothing)
    return kept


def amounts(kind: BudgetKind) -> list[float]:
    """Budgets to compare, ascending from 0."""
    top = min(kind.high, WIDEST)
    if kind.whole:
        return [float(value) for value in range(int(top) + 1)]
    return [top * part for part in (0.0, 0.02, 0.15, 0.5, 0.8, 1.0)]


def amount_at(kind: BudgetKind, part: float) -> float:
    """The budget at a part in [0, 1] of the range that the kit tries."""
    top = min(kind.high, WIDEST)
    return float(round(top * part)) if kind.whole else top * part


def pure(policy: Policy) -> Policy:
    """The policy that surely takes the likeliest choice of each row; policies without a table stay as they are."""
    table: Any = getattr(policy, "probabilities", None)
    if table is None:
        return policy
    tree: Any = getattr(policy, "tree", None)
    if tree is None:
        rows = np.atleast_2d(table)
        certain = np.eye(rows.shape[1])[rows.argmax(axis=1)].reshape(np.shape(table))
    else:
        blocks = np.split(np.asarray(table), tree.offset[:-1].astype(int))
        certain = np.concatenate([np.ones(1), *(np.eye(len(block))[block.argmax()] for block in blocks[1:])])
    return replace(policy, probabilities=certain)  # type: ignore[type-var]  # policies of exact forms are dataclasses
