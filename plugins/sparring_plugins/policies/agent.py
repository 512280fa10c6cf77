"""Small agents that ship with Sparring, which the project itself trained."""

from __future__ import annotations

from importlib.resources import as_file, files
from typing import ClassVar

from sparring import hookimpl
from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.source import PolicyLoader

FOLDER = "agents"


class ShippedAgent(PolicyLoader):
    """A trained agent by name; its description says how it was trained and what it reached."""

    name: ClassVar[str] = "agent"
    summary: ClassVar[str] = "a trained agent that ships with Sparring, such as `agent:hopper`"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    takes: ClassVar[str | None] = "NAME"

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Read the agent of that name and hold it against the game.

        Raises:
            RequestError: there is no such agent, or it does not fit.
        """
        folder = files("sparring_plugins") / FOLDER
        names = [each.name.removesuffix(".json") for each in folder.iterdir() if each.name.endswith(".json")]
        if argument not in names:
            raise RequestError(f"agent {argument!r}: none of that name ships; {nearest(argument, names)}")
        from sparring_plugins.policies._portable import load_pair

        with as_file(folder) as there:
            return load_pair(there / f"{argument}.safetensors", game, player)


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `agent`."""
    return [ShippedAgent]
