"""Which operations of an attack game a plugin really uses, held against those that it declares."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sparring.attack_game import AttackGame, Operation, Side
from sparring.policy import Mixture

__all__ = ["Used", "watched_operations"]

PLAIN = ("start", "freeze", "measure", "draw", "exploitability", "restore", "check_policy", "value", "mix")
"""Operations that every attack game has, and inside of which the form may use whatever it likes."""


class Used:
    """The operations that have been asked for from outside of the attack game."""

    def __init__(self) -> None:
        self.operations: set[Operation] = set()
        self._depth = 0

    def watch(self, method: Callable[..., Any], asked: Callable[..., set[Operation]]) -> Callable[..., Any]:
        """The same method, which notes what it is called for; calls from inside of another one count for nothing."""

        def noting(*given: Any, **named: Any) -> Any:
            if self._depth == 0:
                self.operations |= asked(*given, **named)
            self._depth += 1
            try:
                return method(*given, **named)
            finally:
                self._depth -= 1

        return noting


def watched_operations(duel: AttackGame) -> Used:
    """Note from now on what is asked of this attack game, which is changed for that purpose."""
    used = Used()
    watched: dict[str, Callable[..., set[Operation]]] = {name: _nothing for name in PLAIN if hasattr(duel, name)}
    watched |= {"step": _step, "respond": _respond, "best_response": _best, "optimum": _optimum}
    for name, asked in watched.items():
        # Methods of the instance stand before those of its class, whatever form it is of.
        object.__setattr__(duel, name, used.watch(getattr(duel, name), asked))
    return used


def _nothing(*given: Any, **named: Any) -> set[Operation]:
    return set()


def _step(state: Any, *given: Any, **named: Any) -> set[Operation]:
    return {Operation(f"step:{state.side}")}


def _respond(side: Side, against: Any, *given: Any, **named: Any) -> set[Operation]:
    mixed = {Operation.RESPOND_MIXTURE} if isinstance(against, Mixture) else set()
    return {Operation(f"respond:{side}")} | mixed


def _best(*given: Any, **named: Any) -> set[Operation]:
    return {Operation.RESPOND_ATTACKER}


def _optimum(*given: Any, **named: Any) -> set[Operation]:
    return {Operation.OPTIMUM}
