"""Policies of exact forms: refusals, round trips and mixtures."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from sparring.attack_game import Side
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.policy import MatrixPolicy
from sparring.policy import Ability, Mixture

BAD_ROWS = [
    ([0.5, 0.6], "does not sum to one"),
    ([0.5, 0.5 + 2e-6], "does not sum to one"),
    ([-0.1, 1.1], "negative"),
    ([np.nan, 1.0], "not a number"),
    ([np.inf, 0.0], "not a number"),
    ([0.0, 0.0], "does not sum to one"),
]


@pytest.mark.parametrize(("row", "fault"), BAD_ROWS)
def test_a_row_that_is_no_distribution_is_refused(row, fault):
    with pytest.raises(RequestError, match=fault):
        MatrixPolicy(np.array(row))
    with pytest.raises(RequestError, match=f"row 1 .*{fault}"):
        MarkovPolicy(np.array([[1.0, 0.0], row]))
    with pytest.raises(RequestError, match=fault):
        Mixture((MatrixPolicy(np.array([1.0])), MatrixPolicy(np.array([1.0]))), tuple(row))


@pytest.mark.parametrize("shape", [(), (0,), (1, 3), (1, 1, 3)])
def test_a_matrix_policy_of_another_shape_is_refused(shape):
    with pytest.raises(RequestError, match="expected \\[actions\\]"):
        MatrixPolicy(np.ones(shape))


@pytest.mark.parametrize("shape", [(), (3,), (0, 2), (2, 0), (1, 1, 3)])
def test_a_markov_policy_of_another_shape_is_refused(shape):
    with pytest.raises(RequestError, match="expected \\[states, actions\\]"):
        MarkovPolicy(np.ones(shape))


def test_small_rounding_in_a_row_is_made_good():
    policy = MatrixPolicy(np.array([0.3, 0.7 + 5e-7]))
    assert policy.probabilities.sum() == pytest.approx(1.0, abs=1e-15)


def test_a_policy_does_not_follow_the_array_it_was_made_of():
    table = np.array([[0.25, 0.75]])
    policy = MarkovPolicy(table)
    table[0] = [1.0, 0.0]
    assert policy.probabilities.tolist() == [[0.25, 0.75]]


def test_abilities_are_declared():
    assert MatrixPolicy(np.array([0.5, 0.5])).abilities == {Ability.PROBABILITIES}
    assert MatrixPolicy(np.array([0.0, 1.0])).abilities == {Ability.PROBABILITIES, Ability.DETERMINISTIC}
    assert MarkovPolicy(np.eye(2)).abilities == {Ability.PROBABILITIES, Ability.DETERMINISTIC}
    assert MarkovPolicy(np.array([[1.0, 0.0], [0.5, 0.5]])).abilities == {Ability.PROBABILITIES}
    assert Mixture((MatrixPolicy(np.ones(1)),), (1.0,)).abilities == frozenset()
    assert Mixture((MarkovPolicy(np.ones((1, 1))),), (1.0,)).form is Form.MARKOV


def matrix_duel():
    return sparring.attack("matrix:rock-paper-scissors", "partial-control", 1.0, victim_player=1)


def markov_duel():
    return sparring.attack("markov:random-zero-sum(seed=1)", "partial-control", 1.0, victim_player=1)


@pytest.mark.parametrize("duel", [matrix_duel(), markov_duel()], ids=["matrix", "markov"])
@settings(derandomize=True, max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), side=st.sampled_from(list(Side)))
def test_a_document_gives_the_same_policy_bit_for_bit(duel, seed, side):
    rng = np.random.default_rng(seed)
    policy = duel.draw(side, rng)
    again = duel.restore(json.loads(json.dumps(policy.to_document())), side)
    assert type(again) is type(policy)
    assert (again.probabilities == policy.probabilities).all()
    assert again.player == policy.player
    weights = tuple(float(weight) for weight in rng.dirichlet(np.ones(3)))
    mixture = Mixture(tuple(duel.draw(side, rng) for _ in weights), weights)
    back = duel.restore(json.loads(json.dumps(mixture.to_document())), side)
    assert isinstance(back, Mixture)
    assert back.weights == mixture.weights
    for ours, theirs in zip(mixture.policies, back.policies, strict=True):
        assert (ours.probabilities == theirs.probabilities).all()


@pytest.mark.parametrize("spec", ["matrix:matching-pennies", "markov:random-zero-sum(seed=1)"])
def test_a_game_makes_a_policy_of_its_own_document_only(spec):
    game = sparring.load_game(spec)
    policy = game.uniform_policy(1)
    document = {"game": game.spec, **policy.to_document()}
    assert (game.make_policy(document, 1).probabilities == policy.probabilities).all()
    with pytest.raises(RequestError, match="made for seat 1, asked for seat 0"):
        game.make_policy(document, 0)
    with pytest.raises(RequestError, match="made for matrix:other"):
        game.make_policy(document | {"game": "matrix:other"}, 1)
    with pytest.raises(RequestError, match="an extensive policy, expected"):
        game.make_policy(document | {"kind": "extensive"}, 1)
    for odd in ("text", {"a": 1}, [[0.5], [0.5, 0.5]], None, object()):
        with pytest.raises(RequestError, match="policy for"):
            game.make_policy(odd, 1)
    with pytest.raises(RequestError, match="shape"):
        game.make_policy(np.full(17, 1 / 17), 1)


def test_a_mixture_needs_a_weight_for_each_policy():
    one = MatrixPolicy(np.ones(1))
    for policies, weights in [((), ()), ((one,), ()), ((one,), (0.5, 0.5))]:
        with pytest.raises(RequestError, match="weights"):
            Mixture(policies, weights)


def test_a_mixture_is_worth_the_average_of_its_parts():
    for duel in (matrix_duel(), markov_duel()):
        rng = np.random.default_rng(0)
        victims = tuple(duel.draw(Side.VICTIM, rng) for _ in range(3))
        attackers = tuple(duel.draw(Side.ATTACKER, rng) for _ in range(2))
        weights, shares = (0.2, 0.3, 0.5), (0.25, 0.75)
        expected = sum(
            weight * share * float(duel.value(victim, attacker))
            for weight, victim in zip(weights, victims, strict=True)
            for share, attacker in zip(shares, attackers, strict=True)
        )
        found = duel.value(Mixture(victims, weights), Mixture(attackers, shares))
        assert float(found) == pytest.approx(expected, abs=1e-12)
        # Concave in the victim: a mixture is no more exploitable than its parts are on average.
        parts = sum(w * duel.exploitability(v).lower for w, v in zip(weights, victims, strict=True))
        interval = duel.exploitability(Mixture(victims, weights))
        assert interval.lower <= parts + 1e-12
        assert interval.upper >= interval.lower


def test_the_average_of_a_matrix_game_plays_like_the_mixture():
    duel, rng = matrix_duel(), np.random.default_rng(3)
    first, second, against = duel.draw(Side.VICTIM, rng), duel.draw(Side.VICTIM, rng), duel.draw(Side.ATTACKER, rng)
    average = duel.mix(duel.mix(None, first, 0.7, Side.VICTIM), second, 0.25, Side.VICTIM)
    assert float(duel.value(average, against)) == pytest.approx(
        float(duel.value(Mixture((first, second), (0.75, 0.25)), against)), abs=1e-14
    )
    assert isinstance(average, MatrixPolicy)
    assert average.probabilities == pytest.approx(0.75 * first.probabilities + 0.25 * second.probabilities)


def test_the_average_of_a_markov_game_is_a_mixture_drawn_once_an_episode():
    duel, rng = markov_duel(), np.random.default_rng(3)
    drawn = [duel.draw(Side.VICTIM, rng) for _ in range(3)]
    average = None
    for count, victim in enumerate(drawn, start=1):
        average = duel.mix(average, victim, 1 / count, Side.VICTIM)
    assert isinstance(average, Mixture)
    assert average.policies == tuple(drawn)
    assert average.weights == pytest.approx([1 / 3] * 3)


def test_a_policy_of_the_wrong_seat_or_form_does_not_fit():
    duel = matrix_duel()
    with pytest.raises(RequestError, match="seat 0, but the victim sits in 1"):
        duel.check_policy(MatrixPolicy(np.full(3, 1 / 3), 0), Side.VICTIM)
    with pytest.raises(RequestError, match="a markov policy"):
        duel.check_policy(MarkovPolicy(np.full((1, 3), 1 / 3)), Side.VICTIM)
    with pytest.raises(RequestError, match="2 actions"):
        duel.check_policy(MatrixPolicy(np.full(2, 0.5)), Side.ATTACKER)
    with pytest.raises(RequestError, match="a matrix policy"):
        markov_duel().check_policy(Mixture((MatrixPolicy(np.full(3, 1 / 3)),), (1.0,)), Side.VICTIM)
