"""deviation is the distance that the budget allows, and no more."""

from __future__ import annotations

import numpy as np
import pytest

import sparring


def deviation(duel, oracle="exact", victim="uniform"):
    return sparring.evaluate(duel, victim, [oracle], metrics=["deviation"]).metrics["deviation"][oracle]


def test_against_paper_scissors_replace_rock():
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 0.3, benign=[1.0, 0.0, 0.0])
    figures = deviation(duel, victim=[0.0, 1.0, 0.0])
    assert figures == {"mean": pytest.approx(0.3), "most": pytest.approx(0.3)}


@pytest.mark.parametrize("eps", [0.0, 0.25, 1.0])
@pytest.mark.parametrize("oracle", ["exact", "random"])
def test_it_never_exceeds_the_budget(eps, oracle):
    duel = sparring.attack("markov:random-zero-sum(states=4,seed=3)", "partial-control", eps, benign="uniform")
    figures = deviation(duel, oracle)
    assert 0 <= figures["mean"] <= figures["most"] + 1e-12
    assert figures["most"] <= eps + 1e-12


def test_it_is_the_distance_of_what_is_deployed():
    eps, rng = 0.4, np.random.default_rng(5)
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", eps, benign=[0.5, 0.25, 0.25])
    victim = duel.draw(sparring.Side.VICTIM, rng)
    attacker = duel.best_response(victim)
    benign = np.array([0.5, 0.25, 0.25])
    deployed = (1 - eps) * benign + eps * attacker.probabilities
    expected = np.abs(deployed - benign).sum() / 2
    assert deviation(duel, victim=victim)["mean"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("game", "threat", "benign"),
    [
        ("markov:sa-toy", "observation", None),
        ("markov:random-zero-sum", "partial-control", None),
        ("markov:random-zero-sum", "partial-control(coin=episode)", "uniform"),
    ],
)
def test_it_refuses_other_attacks_by_name(game, threat, benign):
    duel = sparring.attack(game, threat, 1, benign=benign)
    with pytest.raises(sparring.RefusedError, match=r"metric deviation on markov:.*needs"):
        deviation(duel)
