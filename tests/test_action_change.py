"""How far an attack can move the actions of continuous victims: against what is known, and in the document."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparring
from sparring import attack, evaluate, load_policy
from sparring.access import Ball
from sparring.certificates import action_change
from sparring.errors import RefusedError
from sparring.registry import default_registry
from tiny_world import TinyGame

torch = pytest.importorskip("torch")

WEIGHT = np.array([[1.0, -2.0], [0.5, 0.25]], dtype=np.float32)
MEAN, DEVIATION = np.array([1.0, -3.0]), np.array([2.0, 0.5])


def linear():
    module = torch.nn.Linear(2, 2, bias=False)
    with torch.no_grad():
        module.weight.copy_(torch.tensor(WEIGHT))
    return module


def gaussian(hidden=(8,), log_std=(-1.0, -0.5), scale=1.0):
    from sparring_plugins.networks.policy import NetworkPolicy

    rng, sizes = np.random.default_rng(0), (2, *hidden, 2)
    tensors = {"policy.log_std": np.array(log_std, dtype=np.float32), "obs_mean": MEAN, "obs_std": DEVIATION}
    names = [*(f"fc{k}" for k in range(len(hidden))), "out"]
    for name, inputs, outputs in zip(names, sizes, sizes[1:], strict=False):
        tensors[f"policy.{name}.weight"] = (scale * rng.normal(size=(outputs, inputs))).astype(np.float32)
        tensors[f"policy.{name}.bias"] = np.zeros(outputs, dtype=np.float32)
    told = {
        "policy": {"kind": "mlp", "sizes": list(sizes), "hidden_activation": "tanh"},
        "action_distribution": {"kind": "diagonal gaussian", "acts": "mean"},
        "observation_normalisation": {"formula": "clip((x - mean) / std, -c, c)", "epsilon": 0.0, "clip": 10.0},
    }
    return NetworkPolicy(told, tensors)


def facts(report):
    return report.certificates[0]["facts"]["action_change"]


def test_a_linear_network_moves_as_far_as_its_weights_say():
    eps, deviation = 0.1, np.array([0.5, 0.2])
    seen = np.random.default_rng(0).normal(size=(2500, 2))  # more than one call bounds at once
    found = action_change(linear(), seen, Ball(), eps, "crown", deviation=deviation)
    moves = eps * np.abs(WEIGHT).sum(axis=1)
    assert found.linf == pytest.approx(moves.max(), rel=1e-4)
    assert found.l1 == pytest.approx(moves.sum(), rel=1e-4)
    assert found.l2 == pytest.approx(np.linalg.norm(moves), rel=1e-4)
    assert found.width == pytest.approx(2 * moves.mean(), rel=1e-4)
    assert found.divergence == pytest.approx((moves**2 / (2 * deviation**2)).sum(), rel=1e-3)
    assert (found.total_variation <= 1).all()
    assert found.facts()["states"] == 2500
    assert found.facts()["l1"]["greatest"] >= found.facts()["l1"]["mean"]


def test_what_is_unknown_is_null():
    backend = default_registry().create("bound-backend", "ibp")
    plain = backend.bound

    def unknown(module, region, spec):
        low, high = plain(module, region, spec)
        return low, torch.where(torch.arange(len(high))[:, None] == 1, torch.inf, high)

    backend.bound = unknown
    told = action_change(linear(), np.zeros((3, 2)), Ball(), 0.1, backend).facts()
    assert told["unknown_states"] == 1
    assert told["l1"] == {"mean": None, "greatest": None}
    json.dumps(told, allow_nan=False)


@pytest.mark.parametrize("threat", ["observation", "observation(space=raw, scale='2 0.5')"])
def test_no_attack_moves_an_action_further_than_the_document_says(threat):
    """A change of z by eps is one of x by eps times the deviation: both threats are the same attack here."""
    victim, eps = gaussian(), 0.2
    duel = attack(TinyGame(), threat, eps)
    report = evaluate(duel, victim, oracles=["pgd"], bounds=["crown"], episodes=5, seed=3)
    (certificate,), told = report.certificates, facts(report)
    assert certificate["least_return"] is None
    assert len(certificate["over"]) == 5
    lengths = duel.play(victim, None, certificate["over"]).lengths
    assert told["states"] == lengths.sum(), "every state of the rollouts is bounded, once"
    assert report.exploitability.upper is None
    assert (report.exploitability.over, report.exploitability_over_seeds) == ("distribution", None)
    attacker = default_registry().create("oracle", "pgd").attacker(duel, victim)
    worst = 0.0
    for view in duel.views(victim, certificate["over"], 3):
        shown = view.channels[0].apply(
            view.seen, attacker.propose(view, None, np.random.default_rng(0))[0], np.zeros(5), np.zeros(5, dtype=int)
        )
        acts = [view.victim.act(each, None, np.random.default_rng(0))[0] for each in (shown, view.seen)]
        worst = max(worst, float(np.abs(acts[0] - acts[1]).max()))
    assert 0 < worst <= told["linf"]["greatest"]
    assert worst > 0.2 * told["linf"]["greatest"], "and not by much"


def test_the_space_of_the_budget_decides():
    reports = [
        evaluate(attack(TinyGame(), threat, 0.1), gaussian(), oracles=["random"], bounds=["ibp"], episodes=4)
        for threat in ("observation", "observation(space=raw, scale='2 0.5')", "observation(space=raw)")
    ]
    first, same, other = (facts(report)["divergence"]["mean"] for report in reports)
    assert first == pytest.approx(same, rel=1e-3)
    assert other != pytest.approx(first, rel=0.1)
    assert reports[0].certificates[0]["facts"]["attack"]["space"] == "normalised"


def test_a_smoother_network_has_a_tighter_certificate():
    told = [
        facts(
            evaluate(
                attack(TinyGame(), "observation", 0.1), gaussian(scale=s), oracles=[], bounds=["crown"], episodes=3
            )
        )
        for s in (1.0, 0.2)
    ]
    assert told[1]["divergence"]["mean"] < 0.01 * told[0]["divergence"]["mean"]


def test_what_nothing_is_proved_of():
    duel = attack(TinyGame(), "observation(space=raw)", 0.1)
    with pytest.raises(RefusedError, match="needs a victim with module"):
        evaluate(duel, lambda seen: -seen, oracles=["random"], bounds=["ibp"], episodes=3)
    with pytest.raises(RefusedError, match="speak of observation attacks alone"):
        evaluate(attack(TinyGame(), "action", 0.1), gaussian(), oracles=[], bounds=["ibp"], episodes=3)


def test_published_agents_have_the_certificates_of_their_kind(shared_folder):
    """Tables 6.6 (IBP for the robust agent: .074, .050, .041) and 6.7: the robust ones come out far tighter."""
    pytest.importorskip("mujoco")
    game, told = sparring.load_game("gym:Hopper-v4(masses=legacy, max_episode_steps=200)"), {}
    for agent in ("hopper-ppo", "hopper-sappo", "hopper-ddpg", "hopper-saddpg-convex"):
        policy = load_policy(f"file:{shared_folder / 'victims' / agent}.safetensors", game)
        threat = "observation"
        if "ddpg" in agent:
            threat += (
                "(space=raw, scale='" + " ".join(str(float(size)) for size in policy.tensors["attack_scale"]) + "')"
            )
        report = evaluate(attack(game, threat, 0.075), policy, oracles=[], bounds=["ibp"], episodes=2)
        told[agent] = facts(report)
    assert told["hopper-sappo"]["divergence"]["mean"] < 0.2
    assert told["hopper-ppo"]["divergence"]["mean"] > 30
    for norm, published in (("l1", 0.074), ("l2", 0.050), ("linf", 0.041)):
        assert told["hopper-saddpg-convex"][norm]["mean"] == pytest.approx(published, rel=0.25)
        assert told["hopper-ddpg"][norm]["mean"] > 20 * published
    assert "divergence" not in told["hopper-ddpg"]
