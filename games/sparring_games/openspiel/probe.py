"""Try unusual parameters in a child process first: on some, OpenSpiel ends the process it runs in.

Found with open_spiel 2.0.2: `connect_four(rows=0)`, `go_fish(initial_cards=0)`, `havannah(board_size=-1)`,
`kriegspiel(fen=foo)`, `y(board_size=-1)` and several of universal_poker end in a segmentation fault,
`hanabi(colors=0)` in an abort; `blotto(coins=1000000)` does not answer within minutes.
"""

from __future__ import annotations

import json
import subprocess
import sys

from sparring.errors import RequestError
from sparring_games.openspiel.spec import GameRequest

__all__ = ["probe_game"]

_SECONDS = 20.0

# Errors that OpenSpiel can report are left to the caller's own attempt, which words them better.
_CHILD = """
import json, sys, pyspiel
name, parameters = json.loads(sys.argv[1])
try:
    game = pyspiel.load_game(name, parameters)
    if game.get_type().dynamics == pyspiel.GameType.Dynamics.SIMULTANEOUS:
        game = pyspiel.convert_to_turn_based(game)
    waiting = [game.new_initial_state()]
    for _ in range(64):
        if not waiting:
            break
        state = waiting.pop()
        if state.is_chance_node():
            waiting += [state.child(action) for action, _ in state.chance_outcomes()[:4]]
        elif not state.is_terminal():
            if game.get_type().provides_information_state_string:
                state.information_state_string()
            waiting += [state.child(action) for action in state.legal_actions()[:4]]
        else:
            state.returns()
except (pyspiel.SpielError, ValueError, RuntimeError, OverflowError, MemoryError):
    pass
"""


def probe_game(spec: str, request: GameRequest) -> None:
    """Load the game and walk its first histories in a child process.

    Raises:
        RequestError: OpenSpiel ended the child by a signal, or did not answer in time.
    """
    command = [sys.executable, "-c", _CHILD, json.dumps([request.name, request.parameters])]
    try:
        ended = subprocess.run(command, capture_output=True, timeout=_SECONDS, check=False)
    except subprocess.TimeoutExpired as error:
        raise RequestError(
            f"{spec}: OpenSpiel did not list its first histories within {_SECONDS:.0f} s; choose smaller parameters"
        ) from error
    if ended.returncode < 0:
        said = ended.stderr.decode(errors="replace").strip().splitlines()
        detail = f" ({said[0][:160]})" if said else ""
        raise RequestError(
            f"{spec}: OpenSpiel crashes on these parameters{detail}; choose values near the game's defaults"
        )
