"""How far the attacked seat moves from its benign policy at one decision, seen through payoffs of the kit's own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Coin, OpponentAccess
from sparring.attack_game import AttackGame, Side
from sparring.game import Game
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.policy import Policy
from sparring.testing.cases import Case, amounts, pure
from sparring.testing.charging import Chargeable
from sparring.testing.check import CheckSkipped
from sparring.testing.ranges import table_of

__all__ = ["deviates_within_the_budget"]

Floats = NDArray[np.float64]
ROUNDING = 1e-9


@dataclass(frozen=True, eq=False)
class _Question:
    """A game that pays 1 where the other seat takes one action at one decision point, and ends there."""

    point: int
    action: int
    game: Game


def deviates_within_the_budget(bench: Chargeable) -> None:
    """At no decision is the attacked seat further from its benign policy than the budget, in total variation."""
    looked = False
    for case in bench.cases:
        access = case.make(amounts(case.kind)[-1]).charged[0].access
        fixed = isinstance(access, OpponentAccess) and access.coin is Coin.DECISION
        if not fixed or case.benign is None or not isinstance(case.truth, MatrixGame | MarkovGame):
            continue
        for amount in amounts(case.kind)[1::2]:
            looked = True
            most = _deviation(case, amount)
            if most > amount + ROUNDING:
                raise bench.subject.failure(
                    f"with a budget of {amount:g} a decision of the other seat differs from its benign policy by "
                    f"{most:.9g} in total variation",
                    "hand the benign policy on as it is given, and leave the charging to the core",
                    case.label,
                )
    if not looked:
        raise CheckSkipped("it controls no other seat, decision by decision, in a matrix or a Markov game")


def _deviation(case: Case, amount: float) -> float:
    """The greatest total variation over decision points, for some attackers."""
    rng = np.random.default_rng(46)
    duel = case.make(amount)
    drawn = duel.draw(Side.ATTACKER, rng)
    benign = np.atleast_2d(table_of(case.benign))
    return max(_distance(case, duel, attacker, benign) for attacker in (drawn, pure(drawn)))


def _distance(case: Case, duel: AttackGame, attacker: Policy, benign: Floats) -> float:
    """Ask, action by action, how often it is taken at each point."""
    met = np.zeros_like(benign)
    victim = duel.draw(Side.VICTIM, np.random.default_rng(47))
    for question in _questions(case, benign.shape):
        asked = _attacked(duel, question.game)
        met[question.point, question.action] = float(asked.measure(victim, attacker, np.random.default_rng(0)))
    return float(np.abs(met - benign).sum(axis=1).max() / 2)


def _attacked(duel: AttackGame, game: Game) -> AttackGame:
    """The same attack on another game, charged with what the threat declared for the true one."""
    return game.attack_game(duel.charged, duel.victim_player)


def _questions(case: Case, shape: tuple[int, ...]) -> Iterator[_Question]:
    ask: Callable[[Any, int, int, int], Game] = _of_matrix if isinstance(case.truth, MatrixGame) else _of_markov
    seat = case.seat or 0
    for point in range(shape[0]):
        for action in range(shape[1]):
            yield _Question(point, action, ask(case.truth, seat, point, action))


def _of_matrix(game: MatrixGame, seat: int, point: int, action: int) -> Game:
    payoff = np.zeros(game.payoff.shape[1:])
    payoff[(slice(None), action) if seat == 0 else (action, slice(None))] = 1.0
    mine = np.stack([payoff, -payoff])
    return replace(game, payoff=mine if seat == 0 else -mine)


def _of_markov(game: MarkovGame, seat: int, point: int, action: int) -> Game:
    reward = np.zeros((game.states, *game.shape[1:]))
    reward[(point, slice(None), action) if seat == 0 else (point, action, slice(None))] = 1.0
    mine = np.stack([reward, -reward])
    start = np.eye(game.states)[point]
    return replace(game, reward=mine if seat == 0 else -mine, rho=start, gamma=0.0)
