"""psro reaches the value that linear programmes give, and refuses what it cannot do by name."""

from __future__ import annotations

import numpy as np
import pytest

import sparring


@pytest.mark.parametrize("eps", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("game", ["matrix:rock-paper-scissors", "matrix:matching-pennies"])
def test_it_solves_matrices(game, eps):
    duel = sparring.attack(game, "partial-control", eps, benign="uniform")
    answer = sparring.solve(duel, "psro", iterations=50, seed=1)
    assert answer.trace[-1].gap == pytest.approx(0, abs=1e-9)
    assert answer.trace[-1].iteration < 50
    assert duel.exploitability(answer.policy).lower == min(row.last for row in answer.trace)


def test_it_solves_a_matrix_without_symmetry():
    from sparring.matrix.game import MatrixGame

    payoff = np.random.default_rng(3).normal(size=(12, 9))
    game = MatrixGame("random", np.stack([payoff, -payoff]))
    duel = sparring.attack(game, "partial-control", 0.7, benign="uniform")
    answer = sparring.solve(duel, "psro", iterations=100)
    assert answer.trace[-1].gap == pytest.approx(0, abs=1e-8)


def test_it_solves_kuhn_poker():
    pytest.importorskip("pyspiel")
    duel = sparring.attack("kuhn_poker", "partial-control", 1.0)
    answer = sparring.solve(duel, "psro", iterations=60)
    # The first player of Kuhn poker loses 1/18 (Kuhn 1950).
    assert answer.trace[-1].last == pytest.approx(1 / 18, abs=1e-8)


@pytest.mark.parametrize(
    ("game", "threat", "lacking"),
    [
        ("markov:random-zero-sum", "partial-control", "respond:mixture"),
        ("markov:sa-toy", "observation", "respond:victim"),
    ],
)
def test_what_an_attack_game_cannot_do_is_refused_by_name(game, threat, lacking):
    # Whatever the form, the attack game declares what it can do, and psro what it needs.
    with pytest.raises(sparring.RefusedError, match=rf"solver psro needs {lacking} on {game}.* under {threat}: "):
        sparring.solve(sparring.attack(game, threat, 1), "psro", iterations=5)


def test_the_same_seed_gives_the_same_trace():
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 0.5, benign=[0.2, 0.3, 0.5])
    first, second = (sparring.solve(duel, "psro", iterations=9, seed=4).trace for _ in range(2))
    assert [row.last for row in first] == [row.last for row in second]
