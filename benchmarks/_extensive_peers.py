"""What others need for the same figures on the same game, in the same process."""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.extensive.game import ExtensiveGame

Call = Callable[[], object]


class Missing(Exception):
    """A peer that is not installed, with the reason."""


def openspiel_calls(game: ExtensiveGame, seat: int, behaviour: NDArray[np.float64]) -> tuple[Call, Call]:
    """One best response with a reused object against a table policy, and one CFR+ iteration."""
    try:
        import pyspiel
    except ImportError as reason:
        raise Missing(f"OpenSpiel: {reason}") from reason
    source = pyspiel.load_game(game.spec)
    tree = game.trees[seat]
    table = {
        name: [(int(tree.action[s]), float(behaviour[s])) for s in range(first, last)]
        for name, first, last in zip(tree.infosets, tree.offset[:-1], tree.offset[1:], strict=True)
    }
    policy = pyspiel.TabularPolicy(table)
    response = pyspiel.TabularBestResponse(source, 1 - seat, policy)
    root, solver = source.new_initial_state(), pyspiel.CFRPlusSolver(source)

    def respond() -> float:
        response.set_policy(policy)  # forgets what it found for the policy before
        return float(response.value_from_state(root))

    return respond, solver.evaluate_and_update_policy


def liteefg_calls(game: ExtensiveGame) -> tuple[Call, Call]:
    """Exploitability of its current strategies, both seats at once as it does it, and one CFR+ iteration."""
    try:
        import LiteEFG
        import pyspiel
        from LiteEFG.baselines.CFRplus import graph
    except ImportError as reason:
        raise Missing(f"LiteEFG: {reason}") from reason
    with _own_home(), contextlib.redirect_stdout(io.StringIO()):
        environment = LiteEFG.OpenSpielEnv(pyspiel.load_game(game.spec))
        built: Any = graph()
        environment.set_graph(built)
    strategy = built.current_strategy()

    def iterate() -> None:
        built.update_graph(environment)
        environment.update_strategy(strategy)  # its averaging, a part of CFR+

    return lambda: environment.exploitability(strategy, "default"), iterate


@contextlib.contextmanager
def _own_home() -> Iterator[None]:
    """LiteEFG writes its game files into the home directory; let that be a temporary one."""
    before = os.environ.get("HOME")
    with tempfile.TemporaryDirectory() as folder:
        os.environ["HOME"] = folder
        try:
            yield
        finally:
            if before is None:
                del os.environ["HOME"]
            else:
                os.environ["HOME"] = before
