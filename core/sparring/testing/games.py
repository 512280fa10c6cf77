"""Game sources: their games are loaded, loaded again, and attacked."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np

from sparring.access import ActionAccess, Ball, ChargedAccess, ObservationAccess, OpponentAccess
from sparring.attack_game import AttackGame, Side
from sparring.budgets import LP_RADIUS, MIXING_PROBABILITY
from sparring.errors import MissingError, RefusedError, RequestError
from sparring.extensive.game import ExtensiveGame
from sparring.game import Game
from sparring.game_options import load_from
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box, Discrete
from sparring.source import GameSource
from sparring.specs import parse
from sparring.testing.arena import benign_of
from sparring.testing.bench import Bench, Done, Held, Inputs, Setting
from sparring.testing.cases import Case
from sparring.testing.check import CheckSkipped
from sparring.testing.sampled_charging import SampledCase, usable_sampled

__all__ = ["GameBench", "charged", "uniform"]

ENTRIES = 600
"""Numbers in a game's tables above which plain loops over it take too long."""
SEEDS = (100, 101)
"""Of the episodes that its simulated games are played for."""
FEATURES = 64
"""Numbers in an observation, such as a picture, above which playing often takes too long."""
LONGEST = 200
"""Steps of an episode above which playing many takes too long."""


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
            return load_from(self.source, spec.name, spec.options)
        except MissingError:
            raise
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

    @property
    def simulated_games(self) -> list[tuple[str, SimulatedGame]]:
        """Its simulated games that end: others would be played for ever.

        Raises:
            CheckSkipped: there are none.
        """
        found = [(label, game) for label, game in self.games if isinstance(game, SimulatedGame)]
        short = [(label, game) for label, game in found if game.time_limit is not None and game.time_limit <= LONGEST]
        if not short:
            raise CheckSkipped(f"none of its simulated games is cut after {LONGEST} steps; declare one in `examples`")
        return short

    @property
    def trials(self) -> int:
        """Simulators take their time."""
        return 16

    @cached_property
    def sampled_cases(self) -> list[SampledCase]:
        """Attacks on what the victim sees, and on what it does, in its simulated games."""
        found = []
        for label, game in self.simulated_games:
            maker = partial(_itself, game)
            if int(np.prod(game.observation.shape)) > FEATURES:
                continue
            if isinstance(game.observation, Box):
                seen = ChargedAccess(ObservationAccess(ball=Ball()), LP_RADIUS.budget(0.0), "kit")
                found.append(
                    SampledCase(f"{label}, observation", maker, LP_RADIUS, partial(_touched, seen), uniform, SEEDS)
                )
            if isinstance(game.action, Discrete) or game.action.bounded:
                done = ChargedAccess(ActionAccess(), MIXING_PROBABILITY.budget(0.0), "kit")
                kind = MIXING_PROBABILITY
                found.append(SampledCase(f"{label}, action", maker, kind, partial(_touched, done), uniform, SEEDS))
        return usable_sampled(found, "its simulated games are too large to be played often, or cannot be touched")


def _itself(game: SimulatedGame) -> SimulatedGame:
    return game


def _touched(part: ChargedAccess, game: SimulatedGame, amount: float) -> SimulatedAttackGame:
    """The attack game at a budget."""
    duel = game.attack_game([replace(part, budget=part.budget.kind.budget(amount))], None)
    if not isinstance(duel, SimulatedAttackGame):
        raise RefusedError(f"{game.spec}: its attack game is none of the core's simulated form")
    return duel


def uniform(game: SimulatedGame) -> Policy:
    """A victim that acts at random, whatever it sees."""
    return game.uniform_policy(None)


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
