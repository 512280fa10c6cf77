"""The `openspiel` family of games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, ClassVar

from sparring import hookimpl
from sparring.extensive.game import ExtensiveGame
from sparring.extensive.policy import TreePolicy
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.source import GameSource
from sparring.specs import Scalar, Spec
from sparring_games.openspiel.compile import compile_game, load_openspiel
from sparring_games.openspiel.options import options_of
from sparring_games.openspiel.policy import probabilities_of

BARE = ("kuhn_poker", "leduc_poker", "liars_dice", "goofspiel")


@dataclass(frozen=True, eq=False)
class OpenSpielGame(ExtensiveGame):
    """A compiled OpenSpiel game, which also takes OpenSpiel's own policy objects."""

    engine_spec: str = ""
    """The text that OpenSpiel knows the game by."""

    def make_policy(self, data: object, player: int | None) -> TreePolicy:
        """Make a policy from an OpenSpiel policy, or from what any extensive-form game takes."""
        seat = player or 0
        flat = probabilities_of(data, load_openspiel(self.engine_spec), self.trees[seat], seat, self.spec)
        return super().make_policy(data if flat is None else flat, seat)

    def __reduce__(self) -> tuple[Any, ...]:
        return _again, (self.spec, self.engine_spec)


def _again(spec: str, engine_spec: str) -> OpenSpielGame:
    """Compile again, or read from the cache, in the process that a pickle went to."""
    return _wrapped(compile_game(engine_spec), spec, engine_spec)


def _wrapped(game: ExtensiveGame, spec: str, engine_spec: str) -> OpenSpielGame:
    values = {field.name: getattr(game, field.name) for field in fields(ExtensiveGame)}
    return OpenSpielGame(**(values | {"spec": spec}), engine_spec=engine_spec)


class OpenSpiel(GameSource):
    """Any two-player game of OpenSpiel with perfect recall that fits in memory."""

    name: ClassVar[str] = "openspiel"
    summary: ClassVar[str] = "two-player games of OpenSpiel, compiled to sequence form"
    source: ClassVar[str] = "Lanctot et al. 2019 (OpenSpiel); von Stengel 1996 (sequence form)"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.EXTENSIVE})
    bare: ClassVar[tuple[str, ...]] = BARE
    examples: ClassVar[tuple[str, ...]] = ("kuhn_poker", "liars_dice(numdice=1,dice_sides=2)")

    def catalogue(self) -> tuple[str, ...]:
        """The games that need no family; OpenSpiel itself lists all of its own."""
        return BARE

    def game_options(self, name: str) -> type[PluginOptions] | None:
        """The parameters that OpenSpiel declares of a game, with their defaults."""
        return options_of(name)

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Compile a game or read it from the cache."""
        engine_spec = str(Spec(None, name, dict(options)))
        spec = engine_spec if name in BARE else f"openspiel:{engine_spec}"
        return _wrapped(compile_game(engine_spec), spec, engine_spec)


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `openspiel`."""
    return [OpenSpiel]
