"""Game sources and policy loaders: where games and policies come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from sparring.game import Game
from sparring.plugin import Plugin
from sparring.policy import Policy
from sparring.specs import Scalar

__all__ = ["GameSource", "PolicyLoader"]


class GameSource(Plugin):
    """A family of games; `family:name(options)` asks it for one."""

    kind: ClassVar[str] = "game"
    bare: ClassVar[tuple[str, ...]] = ()
    """Names of games that need no family before them."""
    examples: ClassVar[tuple[str, ...]] = ()
    """Small games of it, as specs without the family, for its tests; the catalogue where there is none."""

    @abstractmethod
    def catalogue(self) -> tuple[str, ...]:
        """Names this source surely knows, for `did you mean`; it may know more."""

    @abstractmethod
    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a game.

        Raises:
            RequestError: no such game, or an option it does not have.
        """


class PolicyLoader(Plugin):
    """Loads policies; `name`, `name:argument` or `name(options)` asks for one."""

    kind: ClassVar[str] = "policy-loader"
    takes: ClassVar[str | None] = None
    """What stands after the colon, such as `PATH`; None if nothing does."""
    examples: ClassVar[tuple[str, ...]] = ()
    """What may stand there for any small game, for its tests; files need none."""

    def samples(self, folder: Path, game: Game) -> Sequence[str]:
        """Write files of its own kind, for its tests, and say what to put after the colon to load them.

        The kit calls it with a small game, and consents to what these specs run.

        Args:
            folder: an empty one.
            game: which the policies are to act in; none where this loader has nothing for its form.
        """
        return ()

    @abstractmethod
    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Load a policy for one seat of a game.

        Args:
            argument: what stood after the colon; empty if nothing did.
            game: the game it is to act in; None where the file alone says it.
            player: the seat; None in one-agent games.

        Raises:
            RequestError: it is not there, is not what it claims to be, or does not fit.
        """
