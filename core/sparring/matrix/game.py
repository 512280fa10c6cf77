"""Games of one simultaneous move, given by payoff matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game, frozen
from sparring.matrix.policy import MatrixPolicy
from sparring.policy import numbers

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame

__all__ = ["MatrixGame"]


@dataclass(frozen=True, eq=False)
class MatrixGame(Game):
    """A two-player matrix game, zero-sum or not.

    Raises:
        RequestError: the payoffs are not finite numbers or have the wrong shape.
    """

    form: ClassVar[Form] = Form.MATRIX

    spec: str
    payoff: NDArray[np.float64]
    """To each player, [2, A0, A1]."""
    action_names: tuple[tuple[str, ...], tuple[str, ...]] | None = None
    zero_sum: bool = field(init=False)

    def __post_init__(self) -> None:
        payoff = np.asarray(self.payoff, dtype=np.float64)
        if payoff.ndim != 3 or payoff.shape[0] != 2 or 0 in payoff.shape:
            raise RequestError(f"{self.spec}: payoffs have shape {list(payoff.shape)}, expected [2, A0, A1]")
        bad = np.argwhere(~np.isfinite(payoff))
        if len(bad):
            player, row, column = (int(index) for index in bad[0])
            raise RequestError(
                f"{self.spec}: payoff of player {player} at row {row}, column {column} is "
                f"{payoff[player, row, column]}, expected a finite number"
            )
        object.__setattr__(self, "payoff", frozen(payoff))
        object.__setattr__(self, "zero_sum", bool(np.allclose(payoff.sum(axis=0), 0.0, atol=1e-12)))

    @property
    def players(self) -> int:
        """Two, always."""
        return 2

    def for_seat(self, victim_player: int | None) -> NDArray[np.float64]:
        """The victim's payoff with its actions in the rows, [A, C]."""
        return np.asarray(self.payoff[1].T if victim_player == 1 else self.payoff[0])

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """Build the zero-sum game between the victim in seat `victim_player` and the attacker."""
        from sparring.matrix.attack_game import MatrixAttackGame

        return MatrixAttackGame(self, charged, victim_player)

    def uniform_policy(self, player: int | None) -> MatrixPolicy:
        """Every action with the same probability."""
        size = self.payoff.shape[1 + (player or 0)]
        return MatrixPolicy(np.full(size, 1.0 / size), player)

    def decision_points(self, player: int | None) -> tuple[str, ...]:
        """One: the only move."""
        return ("move",)

    def make_policy(self, data: object, player: int | None) -> MatrixPolicy:
        """Make a policy from a vector, or from what `MatrixPolicy.to_document` gave."""
        vector = numbers(data, "matrix", player, self.spec)
        size = self.payoff.shape[1 + (player or 0)]
        if vector.shape != (size,):
            raise RequestError(f"policy for {self.spec}: shape {list(vector.shape)}, expected [{size}]")
        return MatrixPolicy(vector, player)
