"""Small games of every exact form, made anew at each call, so that no plugin can spoil them for another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

from sparring.access import ActionAccess, ChargedAccess, Coin, ObservationAccess, OpponentAccess
from sparring.attack_game import AttackGame, Operation, Side
from sparring.budgets import GRAPH_RADIUS, MIXING_PROBABILITY
from sparring.forms import Form
from sparring.game import Game
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.policy import Policy
from sparring.testing.kuhn import kuhn_poker
from sparring.testing.sampled_arena import sampled_stages

__all__ = ["GAMES", "Stage", "benign_of", "offering", "stages"]


def skewed_matrix() -> MatrixGame:
    """Rock-paper-scissors in which every win counts differently, so that no symmetry hides a mistake."""
    payoff = np.asarray([[0.0, -1.0, 2.0], [1.5, 0.0, -1.0], [-1.0, 1.0, 0.25]])
    return MatrixGame("kit:matrix", np.stack([payoff, -payoff]))


def lone_choice() -> MatrixGame:
    """One choice with no opponent: the other seat has a single action."""
    payoff = np.asarray([[0.0], [1.0], [-0.5]])
    return MatrixGame("kit:choice", np.stack([payoff, -payoff]))


def markov_duel() -> MarkovGame:
    """Two players, three states in a row, random rewards and transitions."""
    rng = np.random.default_rng(20)
    transition, reward = rng.dirichlet(np.full(3, 0.5), size=(3, 2, 3)), rng.uniform(-1, 1, size=(3, 2, 3))
    rho, names = np.asarray([0.5, 0.3, 0.2]), ("low", "middle", "high")
    return MarkovGame.from_arrays(
        "kit:markov", transition, reward, gamma=0.7, rho=rho, neighbours=_in_a_row(3), state_names=names
    )


def markov_walk() -> MarkovGame:
    """One agent, four states in a row, of which each looks like the next."""
    rng = np.random.default_rng(21)
    transition, reward = rng.dirichlet(np.full(4, 0.5), size=(4, 3)), rng.uniform(-1, 1, size=(4, 3))
    return MarkovGame.from_arrays("kit:walk", transition, reward, gamma=0.6, neighbours=_in_a_row(4))


def _in_a_row(states: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    places = np.arange(states)
    return np.asarray(np.abs(places[:, None] - places) <= 1)


GAMES: dict[Form, tuple[Callable[[], Game], ...]] = {
    Form.MATRIX: (skewed_matrix, lone_choice),
    Form.MARKOV: (markov_duel, markov_walk),
    Form.EXTENSIVE: (kuhn_poker,),
}
"""Makers of the kit's games of the exact forms; `sampled_arena` has those of the simulated form."""


def benign_of(game: Game, seat: int | None) -> Policy | None:
    """A benign policy of the other seat that is neither uniform nor pure; None in one-agent games."""
    if game.players == 1:
        return None
    whole = ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1.0), "kit")
    other = game.attack_game([whole], 1 - (seat or 0))
    return other.draw(Side.VICTIM, np.random.default_rng(22))


@dataclass(frozen=True)
class Stage:
    """An attack game of the kit, on which oracles, solvers and metrics show what they do."""

    label: str
    form: Form
    make: Callable[[], AttackGame]
    victim: Callable[[AttackGame], Policy] | None = None
    """Who is attacked there; None for one that the attack game draws."""

    def attacked(self, duel: AttackGame, rng: np.random.Generator) -> Policy:
        """The victim of this stage."""
        return duel.draw(Side.VICTIM, rng) if self.victim is None else self.victim(duel)


def stages(form: Form) -> list[Stage]:
    """The kit's attack games of a form: every channel that its games have, from either seat."""
    if form is Form.SIMULATED:
        return [Stage(label, form, make, victim) for label, make, victim in sampled_stages()]
    made = []
    for maker, seat in product(GAMES.get(form, ()), (0, 1)):
        players = maker().players
        if players == 1 and seat == 1:
            continue
        for touch in _opponent if players == 2 else _alone:
            label = f"{maker().spec}, seat {seat}, {touch.__name__.strip('_').replace('_', ' ')}"
            made.append(Stage(label, form, _staged(maker, seat if players == 2 else None, touch)))
    return made


def offering(stages: Iterable[Stage], needs: Iterable[object]) -> list[Stage]:
    """Those whose attack games offer the operations among `needs`; the core refuses the others before anything runs."""
    wanted = [need for need in needs if isinstance(need, Operation)]
    return [stage for stage in stages if not wanted or all(map(stage.make().can.offers, wanted))]


def _staged(
    maker: Callable[[], Game], seat: int | None, touch: Callable[[Game, int | None], ChargedAccess]
) -> Callable[[], AttackGame]:
    def make() -> AttackGame:
        game = maker()
        return game.attack_game([touch(game, seat)], seat)

    return make


def _partial_control(game: Game, seat: int | None) -> ChargedAccess:
    access = OpponentAccess(benign_of(game, seat))
    return ChargedAccess(access, MIXING_PROBABILITY.budget(0.4), "partial-control", benign="kit")


def _full_control(game: Game, seat: int | None) -> ChargedAccess:
    return ChargedAccess(OpponentAccess(None), MIXING_PROBABILITY.budget(1.0), "partial-control")


def _coin_of_an_episode(game: Game, seat: int | None) -> ChargedAccess:
    access = OpponentAccess(benign_of(game, seat), Coin.EPISODE)
    return ChargedAccess(access, MIXING_PROBABILITY.budget(0.4), "partial-control", benign="kit")


def _observation(game: Game, seat: int | None) -> ChargedAccess:
    assert isinstance(game, MarkovGame)
    assert game.neighbours is not None
    access = ObservationAccess(size=graph_distance(game.neighbours))
    return ChargedAccess(access, GRAPH_RADIUS.budget(1), "observation")


def _action(game: Game, seat: int | None) -> ChargedAccess:
    return ChargedAccess(ActionAccess(), MIXING_PROBABILITY.budget(0.3), "action")


_opponent = (_partial_control, _full_control, _coin_of_an_episode)
_alone = (_observation, _action)
