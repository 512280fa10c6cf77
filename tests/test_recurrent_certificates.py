"""Certificates of recurrent victims through an evaluation, against what sampled attacks do."""

from __future__ import annotations

import numpy as np
import pytest

import network_files
import sparring
from sparring import attack, evaluate
from sparring.access import Ball
from sparring.certificates import SearchLimits, action_change, certify_actions, certify_return
from sparring.certificates import actions as certifying_actions
from sparring.policy import Ability
from sparring.registry import default_registry
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.single import SingleEpisode
from tiny_world import TinyGame, Tracker

torch = pytest.importorskip("torch")

EPS = 0.2
NORMALISING = {"observation_normalisation": {"formula": "clip((x - mean) / std, -c, c)", "epsilon": 0.0, "clip": 10.0}}


def lstm(inputs, outputs, kind, **told):
    from sparring_plugins.networks.policy import NetworkPolicy

    description, tensors = network_files.recurrent(inputs, outputs, **NORMALISING, **told)
    statistics = {"obs_mean": np.linspace(-0.2, 0.2, inputs), "obs_std": np.linspace(0.4, 1.1, inputs)}
    description["action_distribution"] = kind
    return NetworkPolicy(description, {**tensors, **statistics})


def gaussian(acts="mean"):
    return lstm(2, 2, {"kind": "diagonal gaussian", "acts": acts})


def remembered(victim, duel, seed):
    """What the victim sees at each step without attack, and its memory before."""
    world, memory, rows = duel.game.world(1), victim.begin(1), []
    world.reset([seed])
    finished = False
    while not finished:
        seen = victim.normalised(world.observations)
        rows.append((seen[0], memory[0]))
        actions, memory = victim.inner().act(seen, memory, np.random.default_rng(0))
        finished = bool(world.step(actions).finished[0])
    return (np.array(column) for column in zip(*rows, strict=True))


@pytest.mark.parametrize("method", ["crown", "ibp"])
def test_no_attack_of_one_step_moves_an_action_further(method):
    victim, duel, rng = gaussian(), attack(TinyGame(), "observation", EPS), np.random.default_rng(0)
    report = evaluate(duel, victim, oracles=[], bounds=[method], episodes=3, seed=1)
    (certificate,) = report.certificates
    told, inner = certificate["facts"]["action_change"], victim.inner()
    greatest, states = 0.0, 0
    for seed in certificate["over"]:
        seen, memory = remembered(victim, duel, seed)
        found = action_change(
            inner.recurrent_module(),
            seen,
            Ball(),
            EPS,
            method,
            states=torch.from_numpy(memory),
            deviation=victim.deviation,
        )
        plain, _ = inner.act(seen, memory, rng)
        for _ in range(200):
            change = rng.choice([-EPS, EPS], size=seen.shape) * rng.choice([1.0, 0.5], size=seen.shape)
            moved = np.abs(inner.act((seen + change).astype(np.float32), memory, rng)[0] - plain)
            assert (moved.max(axis=1) <= found.linf + 1e-6).all()
            assert (moved.sum(axis=1) <= found.l1 + 1e-6).all()
            greatest = max(greatest, float(moved.max()))
        states += len(seen)
        assert found.linf.max() <= told["linf"]["greatest"] * (1 + 1e-5), "the document has the same states"
    assert told["states"] == states
    assert 0.2 * told["linf"]["greatest"] < greatest <= told["linf"]["greatest"]
    assert told["divergence"]["mean"] > 0


def test_the_state_is_that_of_the_rollout():
    """With the first state at every step, as if nothing were remembered, other bounds come out."""
    victim, duel = gaussian(), attack(TinyGame(), "observation", EPS)
    (certificate,) = evaluate(duel, victim, oracles=[], bounds=["crown"], episodes=2).certificates
    seen = np.concatenate([next(remembered(victim, duel, seed)) for seed in certificate["over"]])
    first = victim.inner().first_state().repeat(len(seen), 1)
    forgetful = action_change(victim.inner().recurrent_module(), seen, Ball(), EPS, "crown", states=first)
    told = certificate["facts"]["action_change"]
    assert told["linf"]["mean"] != pytest.approx(float(forgetful.linf.mean()), rel=1e-3)


def test_raw_and_drawn():
    """A raw radius of eps times the deviation is the same attack; drawing actions changes no bound of a step."""
    scale = " ".join(str(float(size)) for size in np.linspace(0.4, 1.1, 2))
    told = [
        evaluate(
            attack(TinyGame(), threat, EPS), gaussian(acts), oracles=[], bounds=["crown"], episodes=2
        ).certificates[0]["facts"]["action_change"]["l2"]["mean"]
        for threat, acts in (("observation", "mean"), (f"observation(space=raw, scale='{scale}')", "mean"))
    ]
    assert told[0] == pytest.approx(told[1], rel=1e-3)
    drawn = evaluate(attack(TinyGame(), "observation", EPS), gaussian("sample"), oracles=[], bounds=["ibp"], episodes=2)
    assert drawn.certificates[0]["facts"]["action_change"]["divergence"]["mean"] > 0


@pytest.mark.parametrize("threat", ["observation", "observation(space=raw)"])
@pytest.mark.parametrize("budget", [1e-6, 0.01, 0.3])
def test_returns_of_discrete_victims_with_the_state_as_a_region(threat, budget):
    pytest.importorskip("gymnasium")
    victim = lstm(4, 2, {"kind": "values"})
    duel = attack(sparring.load_game("gym:CartPole-v1(max_episode_steps=6)"), threat, budget)
    report = evaluate(duel, victim, oracles=["pgd"], bounds=["ibp"], episodes=2)
    (certificate,) = report.certificates
    facts = certificate["facts"]
    attackers = [None, RandomAttacker("sign"), default_registry().create("oracle", "pgd").attacker(duel, victim)]
    attacked = [duel.play(victim, attacker, certificate["over"]).returns.mean() for attacker in attackers]
    assert certificate["least_return"] <= min(attacked)
    if budget == 1e-6:
        assert facts["action_certification_rate"] == 1.0
        assert certificate["least_return"] == attacked[0]
    if budget == 0.3:
        assert facts["action_certification_rate"] < 1.0


def test_a_search_goes_on_for_as_many_steps_as_are_allowed():
    pytest.importorskip("gymnasium")
    game, victim = sparring.load_game("gym:CartPole-v1(max_episode_steps=6)"), lstm(4, 2, {"kind": "values"})
    steps = []
    for allowed in (0, 20):
        limits = SearchLimits(branching=allowed, segment=4)
        found = certify_return(victim, SingleEpisode(game.world(1)), Ball(), 0.3, (5,), "ibp", limits=limits)
        (row,) = found.facts["seeds"]
        steps.append(row["steps"])
        assert found.facts["limits"]["branching"] == allowed
    assert steps[0] == 2 * row["rollout"], "the first rollout, and once again"
    assert 20 <= steps[1] - steps[0] < 20 + 6


def test_what_is_unknown_says_why():
    """A policy that draws, one that offers no state, and a continuous one of which no return is proved."""
    pytest.importorskip("gymnasium")
    victim = lstm(4, 2, {"kind": "categorical", "acts": "sample"})
    duel = attack(sparring.load_game("gym:CartPole-v1(max_episode_steps=5)"), "observation", 0.01)
    (found,) = evaluate(duel, victim, oracles=[], bounds=["ibp"], episodes=2).certificates
    assert found["least_return"] is None
    assert "only greedy policies have certified actions" in found["facts"]["unknown"]
    hidden = Tracker(weight=0.5)
    assert Ability.RECURRENT in hidden.abilities
    (found,) = evaluate(
        attack(TinyGame(), "observation", 0.1), hidden, oracles=[], bounds=["ibp"], episodes=2
    ).certificates
    assert found["least_return"] is None
    assert "does not offer its state (recurrent_module and first_state)" in found["facts"]["unknown"]
    assert found["facts"]["attack"] == {"norm": "inf", "radius": 0.1, "space": "normalised"}


def test_many_large_observations_are_bounded_in_parts(monkeypatch):
    from sparring.certificates import observation_region

    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3)).eval()
    region = observation_region(Ball(), 0.1, np.random.default_rng(0).normal(size=(7, 3)), network)
    whole = certify_actions(network, region, "crown")
    monkeypatch.setattr(certifying_actions, "CHUNK", 6)
    parts = certify_actions(network, region, "crown")
    assert 0 < whole.certified.sum() < 7
    assert np.array_equal(parts.possible, whole.possible)
    assert np.array_equal(parts.certified, whole.certified)
    assert parts.lead == pytest.approx(whole.lead, rel=1e-4)
