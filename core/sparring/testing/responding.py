"""Checks that victim and attacker play against each other for one and the same number."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from sparring.attack_game import AttackGame, Side
from sparring.policy import Policy
from sparring.testing.cases import Case, amounts, pure
from sparring.testing.charging import Chargeable
from sparring.testing.check import CheckFailure

__all__ = ["responses_are_best", "stays_zero_sum"]

TOLERANCE = 1e-8
RATE = 1e-4


def stays_zero_sum(bench: Chargeable) -> None:
    """What the attacker gains the victim loses: seats swap with the sign, and no victim beats the optimum."""
    for case in bench.cases:
        for amount in amounts(case.kind)[1::2]:
            _check_optimum(bench, case, case.make(amount))
    for one in bench.cases:
        for other in bench.cases:
            paired = one.truth.spec == other.truth.spec and (one.seat, other.seat) == (0, 1)
            if paired and getattr(one.truth, "zero_sum", False) and one.whole_seat and other.whole_seat:
                _check_swap(bench, one, other)


def _check_optimum(bench: Chargeable, case: Case, duel: AttackGame) -> None:
    best = duel.optimum() if duel.can.known_optimum else None
    if best is None:
        return
    rng = np.random.default_rng(27)
    drawn = [duel.draw(Side.VICTIM, rng) for _ in range(6)]
    reached = duel.exploitability(best.policy).lower
    least = min(duel.exploitability(victim).lower for victim in [*drawn, *map(pure, drawn)])
    if abs(reached - best.exploitability) > 1e-6 or least < best.exploitability - 1e-6:
        raise bench.subject.failure(
            f"the optimum is given as {best.exploitability:.9g}, its policy reaches {reached:.9g} and a drawn victim "
            f"{least:.9g}",
            "let the victim maximise and the attacker minimise the same return",
            case.label,
        )


def _check_swap(bench: Chargeable, one: Case, other: Case) -> None:
    """At the greatest budget either seat may be the victim's, and the two returns add up to 0."""
    rng = np.random.default_rng(28)
    first, second = (case.make(amounts(case.kind)[-1]) for case in (one, other))
    mine, yours = first.draw(Side.VICTIM, rng), second.draw(Side.VICTIM, rng)
    total = float(first.measure(mine, _without_seat(yours), rng)) + float(
        second.measure(yours, _without_seat(mine), rng)
    )
    if abs(total) > TOLERANCE * 10:
        raise bench.subject.failure(
            f"seen from both seats the returns of one pair of policies add up to {total:.9g} instead of 0",
            "give the second seat the negative of the first one's payoff, or declare zero_sum = False",
            f"{one.label} and {other.label}",
        )


def _without_seat(policy: Policy) -> Policy:
    """The same policy as an attacker's; those of trees keep their seat."""
    given: Any = policy
    return policy if hasattr(policy, "tree") else replace(given, player=None)


def responses_are_best(bench: Chargeable) -> None:
    """No drawn policy does better than an exact response, its value is attained, and small steps go the right way."""
    for case in bench.cases:
        rng = np.random.default_rng(29)
        for amount in amounts(case.kind)[1::2]:
            duel = case.make(amount)
            for side in sorted(duel.can.exact_response):
                _check_response(bench, case, duel, side, rng)
            for side in sorted(duel.can.step):
                _check_step(bench, case, duel, side, rng)


def _check_response(bench: Chargeable, case: Case, duel: AttackGame, side: Side, rng: np.random.Generator) -> None:
    against = duel.draw(side.other, rng)
    state, claimed = duel.respond(side, against, rng=rng)
    attained = _return(duel, side, duel.freeze(state), against, rng)
    drawn = [duel.draw(side, rng) for _ in range(6)]
    sign = 1 if side is Side.VICTIM else -1
    best = max(sign * _return(duel, side, policy, against, rng) for policy in [*drawn, *map(pure, drawn)])
    slack = TOLERANCE * max(1.0, abs(attained))
    if abs(attained - float(claimed)) > slack or best > sign * attained + slack:
        raise _misled(bench, case, f"the {side}'s exact response claims {float(claimed):.9g}, attains {attained:.9g}, "
                      f"and a drawn {side} reaches {sign * best:.9g}")  # fmt: skip


def _check_step(bench: Chargeable, case: Case, duel: AttackGame, side: Side, rng: np.random.Generator) -> None:
    against, state = duel.draw(side.other, rng), duel.start(side, 30)
    moved, _ = duel.step(state, against, RATE, rng)
    before, after = (_return(duel, side, duel.freeze(at), against, rng) for at in (state, moved))
    sign = 1 if side is Side.VICTIM else -1
    if sign * (after - before) < -TOLERANCE:
        raise _misled(bench, case, f"a small step of the {side} moves the return from {before:.9g} to {after:.9g}")


def _return(duel: AttackGame, side: Side, policy: Policy, against: Policy, rng: np.random.Generator) -> float:
    victim, attacker = (policy, against) if side is Side.VICTIM else (against, policy)
    return float(duel.measure(victim, attacker, rng))


def _misled(bench: Chargeable, case: Case, cause: str) -> CheckFailure:
    return bench.subject.failure(cause, "the victim raises the victim's return, the attacker lowers it", case.label)
