"""OpenSpiel's policy objects as arrays over sequences."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.extensive.game import PlayerTree

__all__ = ["probabilities_of"]


def probabilities_of(policy: object, game: Any, tree: PlayerTree, player: int, spec: str) -> NDArray[np.float64] | None:
    """The probabilities [sequences] of an OpenSpiel policy in one seat, or None if it is something else.

    It is asked at one state of each information set, so that any policy object does.

    Args:
        policy: an object of `pyspiel.Policy` or `open_spiel.python.policy.Policy`.
        game: the OpenSpiel game that was compiled.
        tree: of the seat.
        player: the seat.
        spec: of the game, for messages.

    Raises:
        RequestError: the policy does not know one of the game's states.
    """
    ask = _asker(policy)
    if ask is None:
        return None
    place = {name: index for index, name in enumerate(tree.infosets)}
    flat = np.zeros(tree.sequences)
    flat[0] = 1.0
    for name, state in _representatives(game, player).items():
        first, last = int(tree.offset[place[name]]), int(tree.offset[place[name] + 1])
        try:
            chances = dict(ask(state))
        except Exception as error:
            raise RequestError(f"policy for {spec}: fails at information set {name!r}: {error}") from error
        flat[first:last] = [chances.get(action, 0.0) for action in tree.action[first:last].tolist()]
    return flat


def _asker(policy: object) -> Any:
    """How to ask this policy for the probabilities at a state, or None if it is no OpenSpiel policy."""
    import pyspiel

    if isinstance(policy, pyspiel.Policy):
        return policy.action_probabilities
    if type(policy).__module__.split(".")[0] != "open_spiel" and not _derives_from_open_spiel(policy):
        return None
    return policy.action_probabilities  # type: ignore[attr-defined]  # OpenSpiel's interface


def _derives_from_open_spiel(policy: object) -> bool:
    return any(base.__module__ == "open_spiel.python.policy" for base in type(policy).__mro__)


def _representatives(game: Any, player: int) -> dict[str, Any]:
    """One state of each information set of the player."""
    found: dict[str, Any] = {}
    waiting = [game.new_initial_state()]
    while waiting:
        state = waiting.pop()
        if state.is_terminal():
            continue
        if not state.is_chance_node() and state.current_player() == player:
            found.setdefault(state.information_state_string(player), state)
        waiting.extend(state.child(action) for action in state.legal_actions())
    return found
