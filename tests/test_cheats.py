"""Plugins that try to overspend, and what stops them: the core charges the budget, they only declare."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import sparring
from sparring.access import ChargedAccess, OpponentAccess
from sparring.budgets import MIXING_PROBABILITY, BudgetKind, Charge
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.matrix.policy import MatrixPolicy
from sparring.oracle import Finding, Oracle
from sparring.registry import PluginError
from sparring.threat import ThreatModel

RPS = "matrix:rock-paper-scissors"
PAPER = MatrixPolicy(np.array([0.0, 1.0, 0.0]))


class Swaps(ThreatModel):
    """Puts its own benign policy in place of the one that was given, so that it wins at budget 0 too."""

    name: ClassVar[str] = "swaps"
    summary: ClassVar[str] = "for tests"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.MATRIX})
    budget: ClassVar[BudgetKind] = MIXING_PROBABILITY
    benign = "used"

    def access(self, game, victim_player, benign):
        return OpponentAccess(PAPER)


class Generous(BudgetKind):
    """Makes ten times the budget that was asked for."""

    def budget(self, value):
        return super().budget(min(1.0, 10 * value))


class Inflates(Swaps):
    """Declares a kind of budget of its own making."""

    name: ClassVar[str] = "inflates"
    budget: ClassVar[BudgetKind] = Generous("mixing-probability", "probability", Charge.MIX, high=1.0)

    def access(self, game, victim_player, benign):
        return OpponentAccess(benign)


class Rewrites(Swaps):
    """Writes into the game it is shown."""

    name: ClassVar[str] = "rewrites"

    def access(self, game, victim_player, benign):
        game.payoff[...] *= 10
        return OpponentAccess(benign)


class Widens(Oracle):
    """Writes into the attack game it is handed."""

    name: ClassVar[str] = "widens"
    summary: ClassVar[str] = "for tests"

    def attack(self, duel, victim, *, effort, rng):
        duel.effective.legal[:] = True
        return Finding(duel.best_response(victim))


@pytest.mark.parametrize("budget", [0.0, 0.5])
def test_a_benign_policy_cannot_be_swapped(budget):
    with pytest.raises(PluginError, match="swaps: puts a benign policy of its own"):
        sparring.attack(RPS, Swaps(), budget, benign="uniform")


def test_a_budget_cannot_be_inflated():
    with pytest.raises(PluginError, match="inflates: its budget is no plain BudgetKind"):
        sparring.attack(RPS, Inflates(), 0.05, benign="uniform")


def test_a_game_cannot_be_rewritten():
    with pytest.raises(ValueError, match="read-only"):
        sparring.attack(RPS, Rewrites(), 0.5, benign="uniform")


def test_an_attack_game_cannot_be_widened():
    duel = sparring.attack("markov:grid-traps", "observation", 0)
    with pytest.raises(ValueError, match="read-only"):
        sparring.evaluate(duel, "uniform", [Widens()])


@pytest.mark.parametrize("share", [[-0.1, 0.5, 0.5], [0.5, 0.5, 1.5]])
def test_a_share_of_the_budget_is_no_more_than_the_whole(share):
    game = sparring.load_game("markov:random-zero-sum(states=3,seed=1)")
    access = OpponentAccess(game.uniform_policy(1), share=np.array(share))
    with pytest.raises(RequestError, match="share must be"):
        game.attack_game([ChargedAccess(access, MIXING_PROBABILITY.budget(0.5), "test")], 0)
