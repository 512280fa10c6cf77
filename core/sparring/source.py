"""Game sources and policy loaders: where games and policies come from."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from sparring.game import Game
from sparring.plugin import Plugin, PluginOptions
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

    def game_options(self, name: str) -> type[PluginOptions] | None:
        """The options of one of its games; the core validates them before `load`, and `plugins info` shows them.

        Args:
            name: of the catalogue or any other; where there is no such game, whatever suits, as `load` says so.

        Returns:
            Typed fields with defaults, ranges and descriptions (`sparring.plugin.NoOptions` for none at all); with
            `extra="allow"` in their `model_config` others go to `load` as they are. None leaves them all to `load`.
        """
        return None

    @abstractmethod
    def load(self, name: str, options: Mapping[str, Scalar]) -> Game:
        """Make a game.

        Args:
            name: what stood after the family's colon.
            options: those that were given, of the types that `game_options` declares.

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
