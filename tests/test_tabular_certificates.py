"""Theorem 6.3.1 on tabular games, beside the exact value."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from certificate_cases import Intervals, linear, torch
from markov_duels import acted, observed, partial_control, random_game, random_policy
from sparring.bounds import Region
from sparring.certificate import Certificate
from sparring.certificates import TabularBound, total_variation_certificate
from sparring.errors import RefusedError
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.policy import Mixture
from sparring.testing import Verdict, checks
from sparring.theory import TOTAL_VARIATION, printed_constant, sound_constant


@settings(max_examples=40)
@given(seed=st.integers(0, 10**6), radius=st.integers(0, 2), alike=st.floats(0, 1))
def test_theorem_6_3_1_never_certifies_more_than_the_strongest_attacker_leaves(seed, radius, alike):
    game = random_game(seed, gamma=0.6)
    duel = observed(game, radius)
    drawn = random_policy(seed + 1, 4, 3).probabilities
    victim = MarkovPolicy(alike * drawn[:1] + (1 - alike) * drawn)
    found = duel.certify(victim, tables())
    exact = -duel.exploitability(victim).lower
    assert found.least_return <= exact + 1e-9
    facts = found.facts
    assert facts["exact_return"] == pytest.approx(exact)
    assert facts["nominal_return"] - facts["certified_loss"] == pytest.approx(found.least_return)
    table, legal = victim.probabilities, duel.effective.legal
    shown = [TOTAL_VARIATION.between(table[s], table[np.flatnonzero(legal[s])]).max() for s in range(4)]
    assert facts["total_variation"] == pytest.approx(max(shown), abs=1e-12)
    assert facts["certified_loss"] == pytest.approx(2 * game.max_reward / 0.16 * max(shown), abs=1e-9)
    if facts["looseness"] is not None:
        assert facts["looseness"] == pytest.approx(facts["certified_loss"] / facts["exact_loss"])
        assert facts["looseness"] >= 1 - 1e-9


def tables():
    from sparring.registry import default_registry

    return default_registry().create("bound-backend", "total-variation")


def two_states():
    """The errata's game: the good state is left for the bad one when mistaken for it, with probability .01."""
    transition = np.asarray([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    reward = np.asarray([[1.0, -1.0], [-1.0, -1.0]])
    game = MarkovGame.from_arrays("two states", transition, reward, gamma=0.5, rho=np.asarray([1.0, 0.0]),
                                  neighbours=np.ones((2, 2), dtype=bool))  # fmt: skip
    return observed(game, 1), MarkovPolicy(np.asarray([[1.0, 0.0], [0.99, 0.01]]))


class Printed(TabularBound):
    """The theorem as it is printed."""

    name = "printed"
    summary = "theorem 6.3.1 with the constant that the thesis prints"

    def certify(self, duel, victim):
        sound = total_variation_certificate(duel, victim)
        loss = sound.facts["total_variation"] * self.constant(duel.game)
        return replace(sound, backend=self.name, least_return=float(duel.measure(victim)) - loss)

    def constant(self, game):
        return printed_constant(game)


class Claims(Printed):
    def constant(self, game):
        return 0.01 * sound_constant(game)


def test_the_printed_constant_certifies_too_much_and_the_sound_one_does_not():
    duel, victim = two_states()
    sound = duel.certify(victim, tables())
    assert sound.facts["exact_loss"] == pytest.approx(0.0792, abs=5e-5)
    assert sound.facts["certified_loss"] == pytest.approx(0.08, abs=1e-12)
    assert sound.facts["looseness"] == pytest.approx(0.08 / 0.0792, rel=1e-3)
    assert sound.least_return == pytest.approx(2 - 0.08)
    assert Printed().certify(duel, victim).least_return == pytest.approx(2 - 0.06)
    with pytest.raises(ArithmeticError, match=r"bounds printed: certifies a return of 1\.9.*it is not sound"):
        duel.certify(victim, Printed())


def test_a_certificate_that_is_not_sound_is_caught_by_the_kit():
    outcomes = {check.name: check.outcome() for check in checks("bound-backend", Claims)}
    assert outcomes["certificates-are-sound"].verdict is Verdict.FAILED
    assert "strongest attacker leaves" in outcomes["certificates-are-sound"].message
    wanted = {"loads", "works-on-its-forms", "leaves-inputs-alone", "same-seed-same-result"}
    assert {outcomes[name].verdict for name in wanted} == {Verdict.PASSED}


def test_the_document_shows_the_certificate_and_the_interval_stays_exact():
    duel, victim = two_states()
    document = sparring.evaluate(duel, victim, bounds=["total-variation"])
    (shown,) = document.certificates
    assert (document.exploitability.exact, document.exploitability.method) == (True, "policy iteration")
    assert document.exploitability.lower == document.exploitability.upper
    assert (shown["backend"], shown["over"]) == ("total-variation", "distribution")
    assert shown["least_return"] < -document.exploitability.upper
    assert shown["facts"]["looseness"] > 1
    used = [plugin.name for plugin in document.provenance.plugins if plugin.kind == "bound-backend"]
    assert used == ["total-variation"]
    json.dumps(document.certificates, allow_nan=False)


def test_tables_have_nothing_to_say_of_other_threats_networks_and_mixtures():
    game = random_game(1)
    uniform = game.uniform_policy(None)
    with pytest.raises(RefusedError, match="speaks of one observation attack alone"):
        acted(game, 0.1).certify(uniform, tables())
    pair = random_game(1, others=2)
    with pytest.raises(RefusedError, match="speaks of one observation attack alone"):
        partial_control(pair, 0.5, pair.uniform_policy(1)).certify(pair.uniform_policy(0), tables())
    with pytest.raises(RefusedError, match="the victim is a mixture"):
        observed(game, 1).certify(Mixture((uniform, uniform), (0.5, 0.5)), tables())
    with pytest.raises(RefusedError, match="the markov form has no certificate"):
        observed(game, 1).certify(uniform, Intervals())
    with pytest.raises(RefusedError, match="bounds policies of tabular games"):
        tables().bound(linear(np.eye(2)), Region(torch.zeros(1, 2), 0.1), None)
    matrix = sparring.load_game("matrix:rock-paper-scissors")
    duel = sparring.attack(matrix, threat="partial-control", budget=1.0, victim_player=0)
    with pytest.raises(RefusedError, match="the matrix form has no certificate"):
        sparring.evaluate(duel, "uniform", bounds=["total-variation"])


def test_a_certificate_of_nothing_is_compared_too():
    class Silent(Printed):
        def certify(self, duel, victim):
            return Certificate("silent", None)

    duel, victim = two_states()
    found = duel.certify(victim, Silent())
    assert (found.least_return, found.facts["looseness"]) == (None, None)
    assert found.facts["exact_loss"] > 0
