"""Any Python callable as a policy."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

from sparring import hookimpl
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.simulated.callables import CallablePolicy
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Discrete
from sparring.source import PolicyLoader
from sparring_plugins.policies import _samples
from sparring_plugins.policies._imports import imported


class Python(PolicyLoader):
    """A function from observations [batch, *observation] to actions [batch, *action]; importing it needs consent."""

    name: ClassVar[str] = "python"
    summary: ClassVar[str] = "a Python function, such as `python:package.module:act`; needs consent"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    takes: ClassVar[str | None] = "MODULE:NAME"

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """A function that fits the actions."""
        if not isinstance(game, SimulatedGame):
            return ()
        name = "first_choice" if isinstance(game.action, Discrete) else "pushed_back"
        return (f"{_samples.__name__}:{name}",)

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Import the function.

        Raises:
            RequestError: no consent, no such function, or a game of another form.
        """
        spec = f"python:{argument}"
        if game is not None and game.form is not Form.SIMULATED:
            raise RequestError(f"{spec}: functions act in simulated games, {game.spec} is {game.form}")
        found = imported(argument, spec)
        if not callable(found):
            raise RequestError(f"{spec}: a {type(found).__name__}, expected something that can be called")
        return CallablePolicy(argument, found)


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `python`."""
    return [Python]
