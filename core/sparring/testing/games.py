"""Game sources: their games are loaded, loaded again, and attacked."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from sparring.access import ActionAccess, ChargedAccess, OpponentAccess
from sparring.attack_game import AttackGame, Side
from sparring.budgets import MIXING_PROBABILITY
from sparring.errors import RefusedError, RequestError
from sparring.extensive.game import ExtensiveGame
from sparring.game import Game
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.source import GameSource
from sparring.specs import parse
from sparring.testing.arena import benign_of
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.cases import Case
from sparring.testing.check import CheckSkipped

__all__ = ["GameBench", "charged"]

ENTRIES = 600
"""Numbers in a game's tables above which plain loops over it take too long."""


@dataclass(frozen=True, eq=False)
class GameBench(Bench):
    """Loads the games of one source."""

    @property
    def source(self) -> GameSource:
        """An instance."""
        source = self.subject.make()
        assert isinstance(source, GameSource)
        return source

    def settings(self) -> list[Setting]:
        """Its examples, or else its whole catalogue."""
        names = self.source.examples or self.source.catalogue()
        return [Setting(name, None, partial(self._run, name)) for name in names]

    @property
    def nothing_to_see(self) -> str:
        """Why there may be nothing to look at."""
        return "none of its games loads without more words"

    def _run(self, name: str, seed: int) -> Done:
        game = self._load(name)
        duel = _whole_control(game)
        if duel is None:
            return Done(game, Inputs(), raw=game)
        rng = np.random.default_rng(seed)
        victims = [game.uniform_policy(duel.victim_player), duel.draw(Side.VICTIM, rng)]
        held = [*(Held(victim, Side.VICTIM, duel) for victim in victims),
                Held(duel.draw(Side.ATTACKER, rng), Side.ATTACKER, duel)]  # fmt: skip
        return Done(game, Inputs(), tuple(held), game)

    def _load(self, name: str) -> Game:
        spec = parse(name)
        try:
            return self.source.load(spec.name, spec.options)
        except RequestError as error:  # a name that needs a path or an option is no example
            raise RefusedError(str(error)) from error

    @property
    def games(self) -> list[tuple[str, Game]]:
        """All games that load, with the text that loads them."""
        return [(setting.label, done.raw) for setting, done in self.performed]

    @cached_property
    def cases(self) -> list[Case]:
        """Partial control of the other seat, or the victim's action where there is none, on its small games."""
        found = []
        for label, game in self.games:
            if not 0 < _entries(game) <= ENTRIES:
                continue
            for seat in (0, 1) if game.players == 2 else (None,):
                benign = benign_of(game, seat)
                access = ActionAccess() if game.players == 1 else OpponentAccess(benign)
                make = partial(charged, game, access, seat)
                where = f"{label}, seat {seat}"
                found.append(Case(where, game, seat, benign, MIXING_PROBABILITY, make, access))
        if not found:
            raise CheckSkipped("none of its games is of an exact form and small; declare a small one in `examples`")
        return found


def charged(game: Game, access: OpponentAccess | ActionAccess, seat: int | None, amount: float) -> AttackGame:
    """The attack game of a seat under a mixing budget."""
    return game.attack_game([ChargedAccess(access, MIXING_PROBABILITY.budget(amount), "kit", benign="kit")], seat)


def _whole_control(game: Game) -> AttackGame | None:
    """The attack game in which the attacker has the other seat, or the victim's action; None if it is refused."""
    access = ActionAccess() if game.players == 1 else OpponentAccess(None)
    try:
        return charged(game, access, game.check_seat(None), 1.0)
    except RefusedError:
        return None


def _entries(game: Game) -> int:
    """How many numbers its tables hold; 0 on forms that have no tables."""
    if isinstance(game, MatrixGame):
        return int(game.payoff.size)
    if isinstance(game, MarkovGame):
        return int(np.prod(game.shape)) * game.states
    return int(game.payoff.size) if isinstance(game, ExtensiveGame) else 0
