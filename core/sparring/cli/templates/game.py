"""A family of games: hide and seek among some places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from sparring import hookimpl
from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.game import Game
from sparring.matrix.game import MatrixGame
from sparring.source import GameSource
from sparring.specs import Scalar


class TemplateNameGames(GameSource):
    """One game so far: `template-name:hide-and-seek(places=3)`.

    The seeker, in seat 0, wins 1 in the right place and loses 1 elsewhere. Looking everywhere alike is best, and worth
    2 / places - 1.
    """

    name: ClassVar[str] = "template-name"
    summary: ClassVar[str] = "matrix games: hide-and-seek"
    source: ClassVar[str] = ""  # where the games are from
    interface: ClassVar[int] = 1
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX})

    def catalogue(self) -> tuple[str, ...]:
        """The games by name."""
        return ("hide-and-seek",)

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a game.

        Raises:
            RequestError: there is no such game or option, or there are fewer than two places.
        """
        if name not in self.catalogue():
            raise RequestError(f"unknown game '{self.name}:{name}': {nearest(name, self.catalogue())}")
        for option in options:
            if option != "places":
                raise RequestError(f"{self.name}:{name}: there is no option {option!r}; {nearest(option, ['places'])}")
        places = options.get("places", 3)
        if isinstance(places, bool) or not isinstance(places, int) or not 2 <= places <= 1000:
            raise RequestError(f"{self.name}:{name}: places = {places!r}, expected a whole number from 2 to 1000")
        seeker = 2.0 * np.eye(places) - 1.0
        return MatrixGame(f"{self.name}:{name}(places={places})", np.stack([seeker, -seeker]))


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `template-name`."""
    return [TemplateNameGames]
