"""The `ale` family of games."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sparring import hookimpl
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.source import GameSource
from sparring.specs import Scalar, Spec
from sparring_games.gymnasium.atari import View
from sparring_games.gymnasium.game import GymnasiumGame
from sparring_games.gymnasium.options import AleOptions, with_those_of
from sparring_games.gymnasium.recipe import Recipe, environment_options
from sparring_games.gymnasium.source import own_options

STANDARD = ("noop_max", "frame_skip", "size", "stack", "terminal_on_life_loss", "scaled")
"""Options that only the standard preprocessing has."""


class Ale(GameSource):
    """Atari games by name; `preprocessing` says what the agent sees, other options are the emulator's.

    `preprocessing=standard` is Gymnasium's `AtariPreprocessing` with four frames stacked; `crop80` one grey frame of
    the field, 80 by 80; `raw` the screen.
    """

    name: ClassVar[str] = "ale"
    summary: ClassVar[str] = "Atari games by name, such as `ale:Pong`"
    source: ClassVar[str] = "Bellemare et al. 2013 (Arcade Learning Environment); Machado et al. 2018"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    examples: ClassVar[tuple[str, ...]] = ("Pong(preprocessing=raw,max_episode_steps=12)",)

    def catalogue(self) -> tuple[str, ...]:
        """A few; the emulator lists all of its own."""
        return ("Breakout", "Freeway", "Pong")

    def game_options(self, name: str) -> type[PluginOptions]:
        """What the agent sees, and what the emulator takes."""
        return with_those_of(f"ALE/{name}-v5", AleOptions)

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Start the emulator to see what the game shows."""
        spec = str(Spec(self.name, name, dict(options)))
        own, rest = own_options(options)
        view, emulator = _view(spec, rest)
        engine: dict[str, Any] = dict(environment_options(spec, emulator))
        if view.name == "standard":
            if "frameskip" in engine:
                raise RefusedError(f"{spec}: the standard preprocessing skips frames itself; give frame_skip=N instead")
            engine["frameskip"] = 1
        return GymnasiumGame.of(Recipe(spec, f"ALE/{name}-v5", tuple(sorted(engine.items())), view=view, **own))


def _view(spec: str, options: Mapping[str, Scalar]) -> tuple[View, dict[str, Scalar]]:
    """What the agent sees, and the options that are not about it.

    Raises:
        RefusedError: an option for another preprocessing.
    """
    name = options.get("preprocessing", "standard")
    given = {key: value for key, value in options.items() if key in STANDARD}
    if given and name != "standard":
        raise RefusedError(f"{spec}: {min(given)} belongs to preprocessing=standard, here it is {name}; leave it out")
    rest = {key: value for key, value in options.items() if key not in STANDARD and key != "preprocessing"}
    fields: dict[str, Any] = {"name": name, **given}
    return View(**fields), rest


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `ale`."""
    return [Ale]
