"""The `matrix` family of games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sparring import hookimpl
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions
from sparring.source import GameSource
from sparring.specs import Scalar
from sparring_games.matrix import matching_pennies, payoffs_from_file, rock_paper_scissors
from sparring_games.named_games import make_named, options_of_named

MAKERS: dict[str, Callable[..., Game]] = {
    "rock-paper-scissors": rock_paper_scissors,
    "matching-pennies": matching_pennies,
}


class Matrix(GameSource):
    """Matrix games: named ones, and payoffs from a file."""

    name: ClassVar[str] = "matrix"
    summary: ClassVar[str] = "matrix games: rock-paper-scissors, matching-pennies, or a file's payoffs"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX})

    def catalogue(self) -> tuple[str, ...]:
        """The named games, and `file`."""
        return (*MAKERS, "file")

    def game_options(self, name: str) -> type[PluginOptions]:
        """A file's path where it is an option; none otherwise."""
        return options_of_named(name, {})

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a named game, or read one: `matrix:file(path=payoffs.csv)` or `matrix:./payoffs.csv`."""
        return make_named("matrix", name, options, MAKERS, payoffs_from_file)


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `matrix`."""
    return [Matrix]
