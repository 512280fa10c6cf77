"""Attacks doubt themselves: each warning appears where it is due, and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from paying_world import PayingGame
from sparring import attack, evaluate
from tiny_world import TinyGame, Tracker

torch = pytest.importorskip("torch")

SARSA = "robust-sarsa(transitions=1024,epochs=12,batch=64,selection=20,weights=3,spreads=3)"


@dataclass(frozen=True, eq=False)
class Rippled(Tracker):
    """The gradient is that of ripples much shorter than any change, and says nothing of where the action goes."""

    def outputs(self, observation, memory):
        return super().outputs(observation, memory) + 0.01 * torch.sin(1e5 * observation)


@dataclass(frozen=True, eq=False)
class Waves(Tracker):
    """Many summits, of different heights."""

    def outputs(self, observation, memory):
        return torch.sin(15 * observation)


def warnings_of(oracle, victim, budget=0.3, game=None):
    duel = attack(game or TinyGame(), "observation(space=raw)", budget)
    return " ".join(evaluate(duel, victim, [oracle], episodes=3).attacks[0].warnings)


SMOOTH = Tracker(gain=0.5, normalises=False)
CASES = [
    ("the gradient is zero", "pgd", Tracker(gain=1e6), True),
    ("the gradient is zero", "mad", Tracker(gain=1e6), True),
    ("the gradient is zero", "pgd", SMOOTH, False),
    ("gradients are shattered", "pgd", Rippled(gain=0.5, normalises=False), True),
    ("gradients are shattered", "mad", Rippled(gain=0.5, normalises=False), True),
    ("gradients are shattered", "pgd", SMOOTH, False),
    ("draws its actions", "pgd", Tracker(gain=0.5, noise=0.2), True),
    ("draws its actions", "fgsm", Tracker(gain=0.5, noise=0.2), True),
    ("draws its actions", "mad", Tracker(gain=0.5, noise=0.2), False),  # compares distributions
    ("draws its actions", "pgd", SMOOTH, False),
    ("restarts stop improving", "pgd(restarts=3,steps=40)", Tracker(gain=1e-3, normalises=False), True),
    ("restarts stop improving", "pgd(restarts=3)", Waves(normalises=False), False),
    ("restarts stop improving", "pgd", Tracker(gain=1e-3, normalises=False), False),  # there are none
]


@pytest.mark.parametrize(("words", "oracle", "victim", "due"), CASES)
def test_a_warning_appears_where_it_is_due(words, oracle, victim, due):
    assert (words in warnings_of(oracle, victim)) == due


@pytest.mark.parametrize("oracle", ["fgsm", "pgd", "pgd(restarts=3)", "mad"])
def test_nothing_is_doubted_without_reason(oracle):
    assert warnings_of(oracle, Waves(normalises=False) if "restarts" in oracle else SMOOTH) == ""


@pytest.mark.parametrize("wrong", [False, True])
def test_a_learned_critic_is_held_against_noise(wrong, monkeypatch):
    """A critic whose sign is wrong helps the victim."""
    from sparring_plugins.oracles import _sarsa_training

    right = _sarsa_training.critic_of

    def turned(*given):
        critic = right(*given)
        last = critic.sizes[-2] + 1  # the last layer's weights and bias
        return replace(critic, weights=np.concatenate([critic.weights[:-last], -critic.weights[-last:]]))

    monkeypatch.setattr(_sarsa_training, "critic_of", turned if wrong else right)
    assert ("no stronger than noise" in warnings_of(SARSA, Tracker(gain=0.5), game=PayingGame())) == wrong
