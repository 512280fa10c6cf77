"""Plugins that try to overspend, and what stops them: the core charges the budget, they only declare."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

import sparring
from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import Side
from sparring.budgets import MIXING_PROBABILITY, BudgetKind, Charge
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.matrix.policy import MatrixPolicy
from sparring.oracle import Finding, Oracle
from sparring.registry import PluginError
from sparring.testing.drifting import drift_push
from sparring.testing.pilots import Pilot
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


class Replaces(Widens):
    """Puts other things in place of what the attack game holds."""

    name: ClassVar[str] = "replaces"

    def attack(self, duel, victim, *, effort, rng):
        found = Finding(duel.draw(Side.ATTACKER, rng))
        duel.charged, duel.victim_player, duel.measure = (), 7, lambda *given: -1e9
        return found


def test_an_oracle_gets_a_copy_of_the_attack_game():
    duel = sparring.attack(RPS, "partial-control", 0.5, benign="uniform")
    report = sparring.evaluate(duel, "uniform", [Replaces()])
    assert (report.attacks[0].value, report.budget.value, duel.victim_player) == (pytest.approx(0), 0.5, 0)


class Operates(Widens):
    """Makes the victim weaker, and attacks that."""

    name: ClassVar[str] = "operates"

    def attack(self, duel, victim, *, effort, rng):
        object.__setattr__(victim, "probabilities", np.array([1.0, 0.0, 0.0]))
        return Finding(PAPER)


def test_an_oracle_that_changes_the_victim_is_found_out():
    duel = sparring.attack(RPS, "partial-control", 1.0)
    with pytest.raises(PluginError, match="oracle operates: it changed the victim"):
        sparring.evaluate(duel, "uniform", [Operates()])


class Understates(Oracle):
    """Plays many episodes, and says that it played none."""

    name: ClassVar[str] = "understates"
    summary: ClassVar[str] = "for tests"
    claims: ClassVar[int] = 0

    def attack(self, duel, victim, *, effort, rng):
        found = duel.draw(Side.ATTACKER, rng)
        self.steps = duel.measure(victim, found, rng, 30).steps
        return Finding(found, steps=self.claims * self.steps)


def test_the_steps_that_an_oracle_makes_are_counted():
    game = drift_push()
    duel = sparring.attack(game, "observation(space=raw)", 0.1)
    oracle = Understates()
    record = sparring.evaluate(duel, Pilot(2), [oracle]).attacks[0]
    assert record.made == oracle.steps > 100
    assert [f"says that it spent 0 simulator steps, and made {oracle.steps}" in told for told in record.warnings] == [
        True
    ]
    oracle.claims = 1
    assert sparring.evaluate(duel, Pilot(2), [oracle]).attacks[0].warnings == []


@pytest.mark.parametrize("share", [[-0.1, 0.5, 0.5], [0.5, 0.5, 1.5]])
def test_a_share_of_the_budget_is_no_more_than_the_whole(share):
    game = sparring.load_game("markov:random-zero-sum(states=3,seed=1)")
    access = OpponentAccess(game.uniform_policy(1), share=np.array(share))
    with pytest.raises(RequestError, match="share must be"):
        game.attack_game([ChargedAccess(access, MIXING_PROBABILITY.budget(0.5), "test")], 0)


class Impostor(Widens):
    """Has the name of an installed oracle."""

    name: ClassVar[str] = "exact"

    def attack(self, duel, victim, *, effort, rng):
        return Finding(duel.best_response(victim))


def test_a_document_does_not_take_an_object_for_the_installed_plugin_of_its_name():
    class PartialControl(ThreatModel):
        name, summary, budget, benign = "partial-control", "for tests", MIXING_PROBABILITY, "used"

        def access(self, game, victim_player, benign):
            return OpponentAccess(benign)

    for threat, oracle, theirs in (("partial-control", "exact", "sparring"), (PartialControl(), Impostor(), None)):
        duel = sparring.attack(RPS, threat, 0.5, benign="uniform")
        found = sparring.evaluate(duel, "uniform", [oracle]).provenance.plugins
        records = {plugin.kind: plugin.distribution for plugin in found}
        assert (records["threat-model"], records["oracle"]) == (theirs, theirs)
