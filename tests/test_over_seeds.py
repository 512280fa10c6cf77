"""Intervals over the very seeds that a certificate speaks of: both ends exact, and they never cross."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparring
from sparring import attack, evaluate
from sparring.certificate import Certificate
from sparring.errors import RefusedError, RequestError
from sparring.simulated.attack_game import SimulatedAttackGame

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")

SPEC = "gym:CartPole-v1(max_episode_steps=12)"
FALLING = np.array([[0.0, 0.0, 1.0, 0.3], [0.0, 0.0, -1.0, -0.3]], dtype=np.float32)
"""Pushes where the pole leans to, the wrong way round: episodes last about ten steps."""


def victim():
    from sparring_plugins.networks.policy import NetworkPolicy

    told = {"policy": {"kind": "mlp", "sizes": [4, 2]}, "action_distribution": {"kind": "values"}}
    return NetworkPolicy(told, {"policy.out.weight": FALLING, "policy.out.bias": np.zeros(2, dtype=np.float32)})


def evaluated(budget, **options):
    duel = attack(sparring.load_game(SPEC), "observation(space=raw)", budget)
    return evaluate(duel, victim(), oracles=["pgd", "random"], bounds=["ibp"], episodes=4, **options)


@pytest.mark.parametrize("budget", [1e-6, 0.02, 0.2])
def test_both_ends_speak_of_the_seeds_of_the_certificate(budget):
    report = evaluated(budget, over="seeds")
    found, (certificate,) = report.exploitability, report.certificates
    assert found.over == certificate["over"]
    assert len(found.over) == 4
    assert (found.exact, found.confidence, found.trivial_upper) == (False, None, False)
    assert found.method.endswith(", ibp")
    assert found.upper == -certificate["least_return"]
    assert found.lower <= found.upper + 1e-9
    duel = attack(sparring.load_game(SPEC), "observation(space=raw)", budget)
    nominal = duel.play(victim(), None, found.over).returns.mean()
    assert found.lower >= -nominal, "no attack competes"
    if budget == 1e-6:
        assert found.lower == found.upper == -nominal, "no action can be changed"
    assert json.loads(report.to_text())["exploitability"]["over"] == certificate["over"]


def test_the_interval_over_the_distribution_stays_and_the_other_stands_beside_it():
    both, seeded = evaluated(0.02), evaluated(0.02, over="seeds")
    assert (both.exploitability.over, both.exploitability.confidence) == ("distribution", 0.95)
    assert both.exploitability.trivial_upper
    assert both.exploitability_over_seeds == seeded.exploitability == seeded.exploitability_over_seeds


def test_an_attacker_that_does_more_than_is_proved_possible_raises(monkeypatch):
    def certify(self, victim, backend, *, episodes=None, seed=0):
        return Certificate(backend.name, 12.0, over=(1, 2, 3))

    monkeypatch.setattr(SimulatedAttackGame, "certify", certify)
    with pytest.raises(ArithmeticError, match="left its budget or a bound is not sound"):
        evaluated(1e-6)


def test_a_certificate_that_proves_nothing_gives_no_interval_over_its_seeds(monkeypatch):
    monkeypatch.setattr(SimulatedAttackGame, "certify", lambda *_, **__: Certificate("none", None, over=(1, 2)))
    assert evaluated(0.1).exploitability_over_seeds is None
    with pytest.raises(RefusedError, match="no certificate proves a return over seeds"):
        evaluated(0.1, over="seeds")


def test_without_a_certificate_over_seeds_there_is_no_such_interval(capsys):
    duel = attack(sparring.load_game(SPEC), "observation(space=raw)", 0.1)
    report = evaluate(duel, victim(), oracles=["random"], episodes=3)
    assert report.exploitability_over_seeds is None
    with pytest.raises(RefusedError, match="no certificate proves a return over seeds"):
        evaluate(duel, victim(), oracles=["random"], episodes=3, over="seeds")
    with pytest.raises(RequestError, match="over 'moon': choose from: distribution, seeds"):
        evaluate(duel, victim(), oracles=["random"], episodes=3, over="moon")
    from sparring.cli import run

    words = ["evaluate", SPEC, "--victim", "uniform", "--threat", "observation(space=raw)", "--budget", "0.1"]
    assert run([*words, "--oracle", "random", "--episodes", "3", "--over", "seeds"]) == 2
    assert capsys.readouterr().err.count("\n") == 1
