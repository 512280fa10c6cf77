"""The `markov` family of games."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import ClassVar

from sparring import hookimpl
from sparring.forms import Form
from sparring.game import Game
from sparring.source import GameSource
from sparring.specs import Scalar
from sparring_games.markov import from_file, grid_traps, random_zero_sum, sa_toy, soccer
from sparring_games.named_games import make_named

MAKERS: dict[str, Callable[..., Game]] = {
    "sa-toy": sa_toy,
    "grid-traps": grid_traps,
    "random-zero-sum": random_zero_sum,
    "soccer": soccer,
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

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a named game, or read one: `markov:file(path=game.npz)` or `markov:./game.npz`."""
        return make_named("markov", name, options, MAKERS, from_file)


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `markov`."""
    return [Markov]
