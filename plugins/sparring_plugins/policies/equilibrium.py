"""The policy that nobody can exploit in the unattacked game."""

from __future__ import annotations

from typing import ClassVar

from sparring import hookimpl
from sparring.access import ChargedAccess, OpponentAccess
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.policy import Policy
from sparring.source import PolicyLoader


class Equilibrium(PolicyLoader):
    """One seat's max-min policy of the unattacked zero-sum game: linear programme, or Shapley's iteration.

    Equilibria differ: another solver may find another one, and at budgets below 1 they are not equally robust.
    """

    name: ClassVar[str] = "equilibrium"
    summary: ClassVar[str] = "this seat's max-min policy of the unattacked game"
    forms: ClassVar[frozenset[Form]] = frozenset(form for form in Form if form.exact)
    source: ClassVar[str] = "von Stengel 1996 (sequence form); Shapley 1953"

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """The max-min policy of a seat of a two-player zero-sum game."""
        if game is None:
            raise RequestError("policy 'equilibrium': needs a game to solve")
        if game.players != 2 or not getattr(game, "zero_sum", False):
            what = "one agent" if game.players == 1 else "payoffs that do not add up to 0"
            raise RefusedError(f"policy 'equilibrium': {game.spec} has {what}; take 'uniform' or 'file:PATH'")
        full_control = ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1.0), "partial-control")
        best = game.attack_game([full_control], game.check_seat(player)).optimum()
        if best is None:
            raise RefusedError(f"policy 'equilibrium': the {game.form} form has no exact optimum")
        return best.policy


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `equilibrium`."""
    return [Equilibrium]
