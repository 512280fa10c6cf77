"""Partial control spelled out: before every decision of the attacked seat stands a chance node, the coin.

The attacked seat's best response in that larger game, found by a recursion over OpenSpiel's own states, shares
nothing with the compiled game: no sequence form, no constraint on realisation weights, no arrays.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from typing import Any

Chances = Callable[[str], dict[int, float]]
"""Action probabilities at an information state."""
Moves = tuple[tuple[str, int], ...]
"""What the attacker itself has chosen so far; moves that the coin gave to the benign policy are not among them."""


def worst_value(game: Any, seat: int, victim: Chances, benign: Chances, eps: float) -> float:
    """The least return of the victim in `seat` when each of the other seat's decisions is the attacker's with eps."""
    direct: dict[Moves, float] = defaultdict(float)
    below: dict[Moves, dict[str, set[int]]] = defaultdict(lambda: defaultdict(set))
    waiting: list[tuple[Any, float, Moves]] = [(game.new_initial_state(), 1.0, ())]
    while waiting:
        state, reach, moves = waiting.pop()
        if state.is_terminal():
            direct[moves] += reach * state.returns()[seat]
        elif state.is_chance_node():
            waiting += [(state.child(action), reach * chance, moves) for action, chance in state.chance_outcomes()]
        elif state.current_player() == seat:
            chances = victim(state.information_state_string())
            waiting += [(state.child(a), reach * chances[a], moves) for a in state.legal_actions() if chances[a] > 0]
        else:
            name = state.information_state_string()
            chances = benign(name)
            for action in state.legal_actions():
                if eps < 1 and chances[action] > 0:
                    waiting.append((state.child(action), reach * (1 - eps) * chances[action], moves))
                if eps > 0:
                    below[moves][name].add(action)
                    waiting.append((state.child(action), reach * eps, (*moves, (name, action))))
    return _least(direct, below, ())


def _least(direct: dict[Moves, float], below: dict[Moves, dict[str, set[int]]], moves: Moves) -> float:
    total = direct.get(moves, 0.0)
    for name, actions in below.get(moves, {}).items():
        total += min(_least(direct, below, (*moves, (name, action))) for action in actions)
    return total
