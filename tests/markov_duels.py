"""Small Markov games under attack, and their values by plain loops over deterministic attackers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from sparring.access import ActionAccess, ChargedAccess, Coin, ObservationAccess, OpponentAccess
from sparring.budgets import GRAPH_RADIUS, MIXING_PROBABILITY
from sparring.markov.attack_game import MarkovAttackGame
from sparring.markov.distance import graph_distance
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy


def random_game(seed, states=4, actions=3, others=None, *, gamma=0.8, general=False):
    """A two-player game (one agent where `others` is None) with rewards in [-1, 1]."""
    rng = np.random.default_rng(seed)
    shape = (states, actions) if others is None else (states, actions, others)
    transition = rng.dirichlet(np.full(states, 0.4), size=shape)
    reward = rng.uniform(-1, 1, size=(2, *shape) if general else shape)
    neighbours = rng.random((states, states)) < 0.4
    rho = rng.dirichlet(np.ones(states))
    return MarkovGame.from_arrays(f"random {seed}", transition, reward, gamma=gamma, rho=rho, neighbours=neighbours)


def random_policy(seed, rows, actions, player=None):
    return MarkovPolicy(np.random.default_rng(seed).dirichlet(np.ones(actions), size=rows), player)


def controlled(access, eps):
    return ChargedAccess(access, MIXING_PROBABILITY.budget(eps), type(access).__name__)


def partial_control(game, eps, benign=None, seat=0, *, coin=Coin.DECISION, share=None):
    return MarkovAttackGame(game, [controlled(OpponentAccess(benign, coin, share), eps)], seat)


def observed(game, radius):
    return MarkovAttackGame(game, [observation(game, radius)], None)


def observation(game, radius):
    access = ObservationAccess(size=graph_distance(game.neighbours))
    return ChargedAccess(access, GRAPH_RADIUS.budget(radius), "observation")


def acted(game, eps, allowed=None):
    return MarkovAttackGame(game, [controlled(ActionAccess(allowed=allowed), eps)], None)


def dense(game):
    """Transitions [S, A0, A1, S]."""
    return game.transition.toarray().reshape(*game.shape, game.states)


def evaluate(step, reward, gamma):
    """Values of a chain by direct solution."""
    return np.linalg.solve(np.eye(len(reward)) - gamma * step, reward)


def every_choice(legal) -> Iterator[tuple[int, ...]]:
    """Every deterministic attacker: one legal option in each state."""
    return itertools.product(*[np.flatnonzero(row) for row in legal])


def worst_over(attackers, step, reward, gamma):
    """Least values over deterministic attackers, elementwise; `step` [S, B, S] and `reward` [S, B]."""
    here = np.arange(len(reward))
    return np.min([evaluate(step[here, pick], reward[here, pick], gamma) for pick in map(list, attackers)], axis=0)
