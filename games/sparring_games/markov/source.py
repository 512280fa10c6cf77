"""The `markov` family of games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sparring import hookimpl
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.source import GameSource
from sparring.specs import Scalar
from sparring_games.markov import from_file, grid_traps, random_zero_sum, sa_toy, soccer
from sparring_games.markov.options import GridTrapsOptions, RandomOptions, SaToyOptions, SoccerOptions
from sparring_games.named_games import make_named, options_of_named

MAKERS: dict[str, Callable[..., Game]] = {
    "sa-toy": sa_toy,
    "grid-traps": grid_traps,
    "random-zero-sum": random_zero_sum,
    "soccer": soccer,
}
OPTIONS: dict[str, type[PluginOptions]] = {
    "sa-toy": SaToyOptions,
    "grid-traps": GridTrapsOptions,
    "random-zero-sum": RandomOptions,
    "soccer": SoccerOptions,
}


class Markov(GameSource):
    """Tabular Markov games: named ones, seeded random ones, and arrays from a file."""

    name: ClassVar[str] = "markov"
    summary: ClassVar[str] = "tabular Markov games: sa-toy, grid-traps, soccer, random-zero-sum, or a file's arrays"
    source: ClassVar[str] = "thesis, figures 6.2 and 6.6; Littman 1994"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MARKOV})

    def catalogue(self) -> tuple[str, ...]:
        """The named games, and `file`."""
        return (*MAKERS, "file")

    def game_options(self, name: str) -> type[PluginOptions]:
        """Those of the named games; a file's path where it is an option."""
        return options_of_named(name, OPTIONS)

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a named game, or read one: `markov:file(path=game.npz)` or `markov:./game.npz`."""
        return make_named("markov", name, options, MAKERS, from_file)


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `markov`."""
    return [Markov]
