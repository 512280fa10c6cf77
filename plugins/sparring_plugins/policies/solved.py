"""Policies trained on the spot by a solver, against full control of the other seat."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.access import ChargedAccess, OpponentAccess
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game
from sparring.plugin import PluginOptions, unit
from sparring.policy import Policy
from sparring.solving import solve
from sparring.source import PolicyLoader


class SolvedOptions(PluginOptions):
    """Options of `solved`."""

    iterations: int = Field(100, ge=1, description="iterations of the solver", json_schema_extra=unit("iterations"))
    seed: int = Field(0, ge=0, description="where its randomness starts")


class Solved(PolicyLoader):
    """What a solver makes of the seat when the other one is wholly the attacker's, as in `solved:cfr+`."""

    name: ClassVar[str] = "solved"
    summary: ClassVar[str] = "trained by a solver at full budget, such as `solved:cfr+(iterations=100)`"
    forms: ClassVar[frozenset[Form]] = frozenset(form for form in Form if form.exact)
    takes: ClassVar[str | None] = "SOLVER"
    examples: ClassVar[tuple[str, ...]] = ("min-oracle",)
    Options: ClassVar[type[PluginOptions]] = SolvedOptions

    def load(self, argument: str, game: Game | None, player: int | None) -> Policy:
        """Solve and hand over the solver's policy."""
        if game is None or game.players != 2:
            raise RequestError(f"policy 'solved:{argument}': needs a two-player game to solve")
        full_control = ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1.0), "partial-control")
        duel = game.attack_game([full_control], game.check_seat(player))
        chosen = self.options
        return solve(duel, argument, iterations=chosen.iterations, seed=chosen.seed, optimum=False).policy


@hookimpl
def sparring_policy_loaders() -> list[type[PolicyLoader]]:
    """Give `solved`."""
    return [Solved]
