"""Whether an attack game and a victim have what an oracle, a metric or a bound backend declares that it needs."""

from __future__ import annotations

from collections.abc import Iterable

from sparring.attack_game import AttackGame, Operation
from sparring.errors import RefusedError
from sparring.policy import Ability, Policy

__all__ = ["check_needs"]


def check_needs(who: str, needs: Iterable[Ability | Operation], duel: AttackGame, victim: Policy) -> None:
    """Refuse before anything runs.

    Args:
        who: such as `oracle pgd`.
        needs: abilities of the victim, operations of the attack game.
        duel: where it is to work.
        victim: what it is to look at.

    Raises:
        RefusedError: something is missing; the line names it.
    """
    wanted = frozenset(needs)
    lacking = sorted(need for need in wanted if isinstance(need, Ability) and need not in victim.abilities)
    if lacking:
        raise RefusedError(f"{who}: needs a victim with {', '.join(lacking)}, which this one has not")
    for operation in (each for each in Operation if each in wanted):  # in the order of the enumeration
        duel.require(operation, duel.can.offers(operation), who)
