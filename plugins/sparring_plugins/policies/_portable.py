"""The portable pair, as `file:` loads it."""

from __future__ import annotations

from pathlib import Path

from sparring.errors import RequestError
from sparring.game import Game
from sparring_plugins.networks.fitting import fitted
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.networks.portable import read_pair

__all__ = ["load_pair"]


def load_pair(path: Path, game: Game | None, player: int | None) -> NetworkPolicy:
    """Read a pair and hold it against the game, where there is one.

    Raises:
        RequestError: as `read_pair` and `fitted`, or a seat in a two-player game.
    """
    policy = read_pair(path)
    if game is not None and game.players != 1:
        raise RequestError(f"{path}: a network of a one-agent game, {game.spec} has {game.players} seats")
    return fitted(policy, game, str(path))
