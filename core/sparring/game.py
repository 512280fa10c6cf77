"""The world before any attack."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError, RequestError
from sparring.forms import Form

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame
    from sparring.policy import Policy

__all__ = ["Game", "frozen"]


def frozen(array: NDArray[Any]) -> NDArray[Any]:
    """A copy of an array that nobody writes into: what a game says stays said while plugins work with it."""
    kept = np.array(array)
    kept.flags.writeable = False
    return kept


class Game(ABC):
    """A game of one of the five forms; it knows how to become an attack game on its own form."""

    form: ClassVar[Form]

    spec: str
    """The text that loads this game again, such as `kuhn_poker`."""
    zero_sum: bool
    """Whether there are two players whose payoffs always add up to 0."""
    family: str | None = None
    """The plugin it came from; None for games made by hand."""

    @property
    @abstractmethod
    def players(self) -> int:
        """How many seats the game has; 1 or 2."""

    @abstractmethod
    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """Build the zero-sum attack game: what may be touched, each part with its budget.

        Raises:
            RefusedError: this form cannot be touched in one of those ways.
        """

    def uniform_policy(self, player: int | None) -> Policy:
        """The policy that gives every legal action of a seat the same probability.

        Raises:
            RefusedError: actions of this form cannot be counted.
        """
        raise RefusedError(f"uniform: {self.spec} has no finite list of actions to be uniform over")

    def make_policy(self, data: object, player: int | None) -> Policy:
        """Make a policy of one seat from an array, a mapping, or what a policy file holds.

        Raises:
            RequestError: it does not fit this game and seat; the line says where.
        """
        raise RefusedError(f"policy: the {self.form} form takes policy objects, not {type(data).__name__}")

    def decision_points(self, player: int | None) -> Sequence[str]:
        """Names of the points at which a seat decides, in the order of `OpponentAccess.share`.

        Raises:
            RefusedError: this form has no list of them.
        """
        raise RefusedError(f"decision points: {self.spec} has no finite list of them")

    def check_seat(self, victim_player: int | None) -> int | None:
        """Return the victim's seat (None in one-agent games, 0 where two-player games leave it open).

        Raises:
            RequestError: there is no such seat.
        """
        if self.players == 1:
            if victim_player is not None and victim_player != 0:
                raise RequestError(f"victim_player {victim_player}: {self.spec} has one agent, leave it out")
            return None
        if victim_player is None:
            return 0
        if victim_player not in range(self.players):
            seats = ", ".join(str(seat) for seat in range(self.players))
            raise RequestError(f"victim_player {victim_player}: {self.spec} has seats {seats}")
        return victim_player
