"""Checks that the attacker has its budget, and no more."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from sparring.access import DynamicsAccess, ObservationAccess
from sparring.attack_game import AttackGame, Side
from sparring.policy import Policy
from sparring.testing.cases import Case, amount_at, amounts, pure
from sparring.testing.ranges import attack_range
from sparring.testing.searching import search
from sparring.testing.subject import Subject

__all__ = ["Chargeable", "budget_respected", "changes_have_a_size", "more_budget_never_helps", "nominal_unchanged"]

TRIALS = 60
TOLERANCE = 1e-8


class Chargeable(Protocol):
    """A bench with attack games over a range of budgets."""

    @property
    def subject(self) -> Subject:
        """The plugin."""

    @property
    def cases(self) -> list[Case]:
        """What can be attacked."""


def budget_respected(bench: Chargeable) -> None:
    """No attacker that a search can find does more than the budget allows, and the strongest does just that."""
    cases = bench.cases

    def trial(part: float, rng: np.random.Generator) -> None:
        case = cases[int(rng.integers(len(cases)))]
        amount = amount_at(case.kind, part)
        duel = case.make(amount)
        victim = duel.draw(Side.VICTIM, rng)
        victim = pure(victim) if rng.random() < 0.3 else victim
        least, greatest = attack_range(case.truth, case.power(duel, amount), victim)
        slack = TOLERANCE * max(1.0, abs(least), abs(greatest))
        for attacker in _proposals(duel, victim, rng):
            value = float(duel.measure(victim, attacker, rng))
            if not least - slack <= value <= greatest + slack:
                raise bench.subject.failure(
                    f"with a budget of {amount:g} an attacker brings the victim to {value:.9g}, where nobody within "
                    f"that budget leaves [{least:.9g}, {greatest:.9g}]",
                    "declare what may be touched and leave the charging to the core",
                    case.label,
                )
        found = duel.exploitability(victim)
        if found.exact and abs(found.lower + least) > slack:
            raise bench.subject.failure(
                f"with a budget of {amount:g} the exploitability is given as {found.lower:.9g}, it is {-least:.9g}",
                "let the core's attack game of this form compute it",
                case.label,
            )

    search(trial, TRIALS)


def _proposals(duel: AttackGame, victim: Policy, rng: np.random.Generator) -> list[Policy]:
    """Attackers of all sorts: random, sure of themselves, and the strongest."""
    drawn = [duel.draw(Side.ATTACKER, rng) for _ in range(2)]
    strongest = [duel.best_response(victim)] if Side.ATTACKER in duel.can.exact_response else []
    return [*drawn, *map(pure, drawn), *strongest]


def nominal_unchanged(bench: Chargeable) -> None:
    """Without an attack, and under any attacker with budget 0, the victim gets what the game itself gives it."""
    for case in bench.cases:
        rng = np.random.default_rng(25)
        for amount in amounts(case.kind):
            duel = case.make(amount)
            if not duel.has_nominal:
                continue
            victim = duel.draw(Side.VICTIM, rng)
            nominal, _ = attack_range(case.truth, case.power(duel, 0.0), victim)
            attackers: list[Policy | None] = [None] if amount > 0 else [None, *_proposals(duel, victim, rng)]
            for attacker in attackers:
                value = float(duel.measure(victim, attacker, rng))
                if abs(value - nominal) > TOLERANCE * max(1.0, abs(nominal)):
                    who = "without an attack" if attacker is None else "under an attacker with budget 0"
                    raise bench.subject.failure(
                        f"{who} the victim gets {value:.9g}, the game itself gives it {nominal:.9g}",
                        "change nothing but what the attacker does, and that only by the budget",
                        case.label,
                    )


def more_budget_never_helps(bench: Chargeable) -> None:
    """More budget never lowers a victim's exploitability, since the threat declares nested attacker sets."""
    for case in bench.cases:
        rng = np.random.default_rng(26)
        victims = [case.make(amounts(case.kind)[-1]).draw(Side.VICTIM, rng) for _ in range(4)]
        for victim in [*victims, pure(victims[0])]:
            before = -np.inf
            for amount in amounts(case.kind):
                now = case.make(amount).exploitability(victim).lower
                if now < before - TOLERANCE * max(1.0, abs(before)):
                    raise bench.subject.failure(
                        f"at a budget of {amount:g} the exploitability falls from {before:.9g} to {now:.9g}",
                        "declare the same options at every call of `access`, or declare nested = False",
                        case.label,
                    )
                before = now


def changes_have_a_size(bench: Chargeable) -> None:
    """Where the budget limits the size of a change, every change has a size above 0, so that the budget limits it."""
    for case in bench.cases:
        access = case.make(amounts(case.kind)[-1]).charged[0].access
        if isinstance(access, DynamicsAccess) and access.transition is not None:
            free = access.size is None or bool((np.asarray(access.size) <= 0).any())
        elif isinstance(access, ObservationAccess) and access.size is not None:
            size = np.asarray(access.size)
            free = bool((size[~np.eye(len(size), dtype=bool)] <= 0).any())
        else:
            continue
        if free:
            raise bench.subject.failure(
                "some change has the size 0 (or none is declared), so that the smallest budget buys it",
                "give every change a size in the unit of the budget, np.inf where it is not allowed at all",
                case.label,
            )
