"""A family of games: hide and seek among some places."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from pydantic import Field

from sparring import hookimpl
from sparring.errors import RequestError, nearest
from sparring.forms import Form
from sparring.game import Game
from sparring.matrix.game import MatrixGame
from sparring.plugin import NoOptions, PluginOptions, unit
from sparring.source import GameSource
from sparring.specs import Scalar


class HideAndSeekOptions(PluginOptions):
    """Options of `hide-and-seek`."""

    places: int = Field(3, ge=2, le=1000, description="to hide in", json_schema_extra=unit("places"))


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

    def game_options(self, name: str) -> type[PluginOptions]:
        """What a game may be told; the core refuses anything else before `load`."""
        return HideAndSeekOptions if name == "hide-and-seek" else NoOptions

    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a game.

        Raises:
            RequestError: there is no such game.
        """
        if name not in self.catalogue():
            raise RequestError(f"unknown game '{self.name}:{name}': {nearest(name, self.catalogue())}")
        places = HideAndSeekOptions.model_validate(dict(options)).places
        seeker = 2.0 * np.eye(places) - 1.0
        return MatrixGame(f"{self.name}:{name}(places={places})", np.stack([seeker, -seeker]))


@hookimpl
def sparring_games() -> list[type[GameSource]]:
    """Give `template-name`."""
    return [TemplateNameGames]
