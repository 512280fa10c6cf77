"""The `gym` family of games."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sparring import hookimpl
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.source import GameSource
from sparring.specs import Scalar, Spec
from sparring_games.gymnasium.game import GymnasiumGame
from sparring_games.gymnasium.options import GymOptions, with_those_of
from sparring_games.gymnasium.recipe import OWN_OPTIONS, Recipe, environment_options

KNOWN = (
    "Ant-v5", "CartPole-v1", "HalfCheetah-v5", "Hopper-v5", "Humanoid-v5", "InvertedPendulum-v5", "Walker2d-v5",
)  # fmt: skip


class Gym(GameSource):
    """Any environment of Gymnasium by id; options are the environment's own, `masses` and `max_episode_steps`.

    `masses=legacy` gives MuJoCo's robots the capsule masses of the simulator that older agents were trained in.
    """

    name: ClassVar[str] = "gym"
    summary: ClassVar[str] = "environments of Gymnasium by id, such as `gym:Hopper-v5`, MuJoCo's robots among them"
    source: ClassVar[str] = "Towers et al. 2024 (Gymnasium); Todorov, Erez, Tassa 2012 (MuJoCo)"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    examples: ClassVar[tuple[str, ...]] = ("CartPole-v1(max_episode_steps=20)", "Pendulum-v1(max_episode_steps=15)")

    def catalogue(self) -> tuple[str, ...]:
        """Robots and a cart; Gymnasium itself lists all of its own."""
        return KNOWN

    def game_options(self, name: str) -> type[PluginOptions]:
        """The family's own, and what the environment takes."""
        return with_those_of(name, GymOptions)

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make an environment to see what it is."""
        spec = str(Spec(self.name, name, dict(options)))
        own, rest = own_options(options)
        return GymnasiumGame.of(Recipe(spec, name, environment_options(spec, rest), **own))


def own_options(options: Mapping[str, Scalar]) -> tuple[dict[str, Any], dict[str, Scalar]]:
    """The family's own options as fields of a recipe, and the rest."""
    rest = {name: value for name, value in options.items() if name not in OWN_OPTIONS}
    return {"masses": options.get("masses", "modern"), "max_steps": options.get("max_episode_steps")}, rest


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `gym`."""
    return [Gym]
