"""The policy that does not choose."""

from __future__ import annotations

from typing import ClassVar

from sparring import hookimpl
from sparring.errors import RequestError
from sparring.game import Game
from sparring.policy import Policy
from sparring.source import PolicyLoader


class Uniform(PolicyLoader):
    """Every legal action with the same probability."""

    name: ClassVar[str] = "uniform"
    summary: ClassVar[str] = "every legal action with the same probability"

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """The uniform policy of a seat."""
        if game is None:
            raise RequestError("policy 'uniform': needs a game to be uniform in")
        return game.uniform_policy(player)


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `uniform`."""
    return [Uniform]
