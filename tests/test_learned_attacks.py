"""The oracle `ppo`: it hurts, stays within the budget, keeps its best, and goes on bit for bit after a stop."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import sparring
from sparring import attack, evaluate
from sparring.attack_game import Effort, Side
from sparring.errors import RefusedError, RequestError
from sparring.registry import default_registry
from tiny_world import DEVIATION, MEAN, Constant, TinyGame, Tracker

torch = pytest.importorskip("torch")

from sparring_plugins.learners.model import model_for  # noqa: E402
from sparring_plugins.learners.ppo import Ppo  # noqa: E402
from sparring_plugins.networks.portable import read_pair  # noqa: E402
from sparring_plugins.oracles._learning_doubts import doubts_of  # noqa: E402
from sparring_plugins.oracles._learning_progress import Tried  # noqa: E402

RAW, BEHIND, MIX = "observation(space=raw)", "observation", "action(mode=mix)"
QUICK = {"steps": 6000, "episodes": 8, "rollout": 256, "learning_rate": 0.01}
SHORT = {**QUICK, "steps": 1200, "select_every": 300, "select_episodes": 4}
SCORING = range(10_000, 10_080)


def duel_of(threat=BEHIND, budget=1.0):
    return attack(TinyGame(), threat, budget).in_batches(8)


def found_by(duel, victim, seed=0, effort=None, **options):
    oracle = default_registry().create("oracle", "ppo").configured(options)
    return oracle.attack(duel, victim, effort=effort, rng=np.random.default_rng(seed))


def mean(duel, victim, attacker):
    return duel.play(victim, attacker, SCORING).returns.mean()


def fall(threat, budget):
    duel, victim = duel_of(threat, budget), Tracker()
    found = found_by(duel, victim, **QUICK)
    return mean(duel, victim, None) - mean(duel, victim, found.attacker)


# ---- what it does ----------------------------------------------------------------------------------------------------


def test_it_brings_the_victim_nearly_as_low_as_can_be():
    duel, victim = duel_of(BEHIND, 0.5), Tracker()
    found = found_by(duel, victim, **QUICK)
    # The reward is the first number, which the victim pushes down the more, the higher it seems.
    best = mean(duel, victim, None) - mean(duel, victim, Constant([1.0, 0.0]))
    assert mean(duel, victim, None) - mean(duel, victim, found.attacker) > 0.9 * best > 0.5
    assert found.steps > QUICK["steps"]


def test_harm_grows_with_the_budget_and_stays_within_it():
    small, large = fall(RAW, 0.1), fall(RAW, 1.0)
    assert 0 < small < large / 3
    duel, victim = duel_of(BEHIND, 0.25), Tracker()
    attacker = found_by(duel, victim, **SHORT).attacker
    del victim.shown[:]
    seeds = [3]
    told = duel.play(victim, attacker, seeds)
    world = TinyGame().world(1)
    world.reset(seeds)
    changes = []
    for shown, action in zip(victim.shown, duel._world.sent[-int(told.lengths[0]) :], strict=True):
        changes.append(np.abs(shown - (world.at - MEAN) / DEVIATION).max())
        world.step(action)
    assert 0.1 < max(changes) <= 0.25 * (1 + 1e-12)


@pytest.mark.parametrize("threat", [BEHIND, MIX, [RAW, MIX]])
def test_it_learns_under_every_threat_and_is_read_again_from_its_file(threat, tmp_path):
    budget = [0.5, 0.3] if isinstance(threat, list) else 0.5
    duel, victim = duel_of(threat, budget), Tracker()
    name = tmp_path / "adversary"
    found = found_by(duel, victim, **{**QUICK, "steps": 3000}, save=str(name))
    attacked = duel.play(victim, found.attacker, SCORING).returns
    assert attacked.mean() < mean(duel, victim, None) - 0.3
    again = sparring.load_policy(f"file:{name}.safetensors", duel.game)
    assert duel.play(victim, again, SCORING).returns.tobytes() == attacked.tobytes()
    told = json.loads(name.with_suffix(".json").read_text(encoding="utf-8"))
    assert told["role"] == "adversary"
    assert [part["budget"] for part in told["threats"]] == (budget if isinstance(budget, list) else [budget])


def test_it_replaces_a_choice_by_a_choice(tmp_path):
    pytest.importorskip("gymnasium")
    duel = attack("gym:CartPole-v1(max_episode_steps=60)", "action", 0.3).in_batches(8)
    victim = duel.game.make_policy(balancing, None)
    options = {**QUICK, "steps": 3000, "save": str(tmp_path / "pusher"), "select_episodes": 6}
    found = found_by(duel, victim, **options)
    random = duel.play(victim, duel.draw(Side.ATTACKER, np.random.default_rng(0)), SCORING)
    attacked = duel.play(victim, found.attacker, SCORING)
    assert attacked.returns.mean() < random.returns.mean() - 5
    again = sparring.load_policy(f"file:{tmp_path}/pusher.safetensors", duel.game)
    assert duel.play(victim, again, SCORING).returns.tobytes() == attacked.returns.tobytes()


def balancing(observation):
    return (observation @ np.array([0.0, 0.1, 1.0, 0.6]) > 0).astype(np.int64)


def test_an_lstm_learns_and_is_read_again(tmp_path):
    duel, victim = duel_of(BEHIND, 0.5), Tracker()
    name = tmp_path / "adversary.of-mine"
    options = {"network": "lstm", "hidden": "16-16", "sequence": 8, "save": str(name)}
    found = found_by(duel, victim, **{**QUICK, "steps": 3000}, **options)
    attacked = duel.play(victim, found.attacker, SCORING).returns
    assert attacked.mean() < mean(duel, victim, None) - 0.5
    assert read_pair(tmp_path / "adversary.of-mine.json").recurrent
    again = sparring.load_policy(f"file:{name}.safetensors", duel.game)
    assert duel.play(victim, again, SCORING).returns.tobytes() == attacked.tobytes()


def test_the_best_iterate_is_handed_over(tmp_path, monkeypatch):
    duel, victim = duel_of(BEHIND, 0.5), Tracker()
    learns = Ppo.update

    def spoiled(self, state, world, *, rate=None, rng=None):
        after, info = learns(self, state, world, rate=rate, rng=rng)
        if after.updates == 16:  # from here on it proposes the opposite
            weights = after.weights.clone()
            views = model_for(self.settings, state.observation, state.action).layout.views(weights)
            views["policy.weight"].neg_()
            views["policy.bias"].neg_()
            after = replace(after, weights=weights)
        return after, info

    monkeypatch.setattr(Ppo, "update", spoiled)
    options = {**QUICK, "steps": 256 * 17, "select_every": 256, "save": str(tmp_path / "best")}
    found = found_by(duel, victim, **options)
    training = json.loads((tmp_path / "best.json").read_text(encoding="utf-8"))["training"]
    curve = dict(training["curve"])
    assert curve[training["kept_at"]] == min(curve.values())
    assert curve[256 * 17] > curve[0] > min(curve.values()) + 0.5
    assert mean(duel, victim, found.attacker) < mean(duel, victim, None) - 0.5
    assert [told for told in found.warnings if "unstable" in told]


def test_training_begins_with_the_strongest_of_some_networks(tmp_path):
    curves, spent = [], []
    for starts in (1, 6):
        name = tmp_path / f"from-{starts}"
        options = {**SHORT, "steps": 256, "initial_gain": 5.0, "starts": starts, "save": str(name)}
        spent.append(found_by(duel_of(), Tracker(), 3, **options).steps)
        curves.append(json.loads(name.with_suffix(".json").read_text(encoding="utf-8"))["training"]["curve"])
    assert curves[1][0][1] < curves[0][0][1] - 0.5
    assert spent[1] > spent[0]


# ---- the same again --------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_attacker_and_an_effort_its_steps():
    one, other, third = (found_by(duel_of(), Tracker(), seed, **SHORT) for seed in (1, 1, 2))
    assert one.attacker.to_document() == other.attacker.to_document()
    assert one.steps == other.steps
    assert one.attacker.to_document() != third.attacker.to_document()
    brief = found_by(duel_of(), Tracker(), 1, Effort(steps=256), **SHORT)
    assert 256 < brief.steps < one.steps
    hasty = found_by(duel_of(), Tracker(), 1, Effort(seconds=1e-9), **SHORT)
    assert "the time was up after 256 of 1200 steps" in hasty.warnings[0]


@pytest.mark.parametrize("network", [{}, {"network": "lstm", "hidden": "8-8"}])
@pytest.mark.parametrize("fault", [KeyboardInterrupt, OSError])
def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path, monkeypatch, fault, network):
    options = {**SHORT, **network}
    whole = found_by(duel_of(), Tracker(), 5, **options, log=str(tmp_path / "whole.csv"))
    kept = {"checkpoint": str(tmp_path / "training"), "log": str(tmp_path / "parts.csv")}
    learns, count = Ppo.update, iter(range(100))

    def stopped(self, state, world, *, rate=None, rng=None):
        if next(count) == 3:
            raise fault
        return learns(self, state, world, rate=rate, rng=rng)

    monkeypatch.setattr(Ppo, "update", stopped)
    with pytest.raises(fault):
        found_by(duel_of(), Tracker(), 5, **options, **kept)
    resumed = found_by(duel_of(), Tracker(), 5, **options, **kept)
    assert resumed.attacker.to_document() == whole.attacker.to_document()
    assert (resumed.steps, resumed.warnings) == (whole.steps, whole.warnings)
    assert (tmp_path / "parts.csv").read_text() == (tmp_path / "whole.csv").read_text()
    assert next(count) == 3 + 1 + 2, "five updates in all, and the one that failed"
    again = found_by(duel_of(), Tracker(), 5, **options, **kept)
    assert again.attacker.to_document() == whole.attacker.to_document()
    assert next(count) == 3 + 1 + 2 + 1, "nothing was trained"


def test_another_training_is_not_gone_on_with(tmp_path):
    kept = {**SHORT, "steps": 300, "checkpoint": str(tmp_path / "training")}
    found_by(duel_of(), Tracker(), 5, **kept)
    for duel, seed, changed, word in (
        (duel_of(BEHIND, 0.5), 5, {}, "threats"),
        (duel_of(), 6, {}, "seed"),
        (duel_of(), 5, {"steps": 600}, "number of steps"),
        (duel_of(), 5, {"learning_rate": 0.02}, "learning_rate"),
    ):
        with pytest.raises(RequestError, match=word):
            found_by(duel, Tracker(), seed, **{**kept, **changed})
    (tmp_path / "training").write_bytes(b"PK")
    with pytest.raises(RequestError, match="not a training of oracle ppo, or damaged"):
        found_by(duel_of(), Tracker(), 5, **kept)


def test_files_that_could_not_be_written_are_told_before_the_training(tmp_path):
    for name in ("checkpoint", "save", "log"):
        with pytest.raises(RequestError, match="there is no folder"):
            found_by(duel_of(), Tracker(), **{name: str(tmp_path / "nowhere" / "file")})


# ---- doubts ----------------------------------------------------------------------------------------------------------


def scores(*means):
    spread = np.array([-0.2, 0.0, 0.1, 0.1])
    return [Tried(place, place * 100, tuple(mean + spread), 40) for place, mean in enumerate(means)]


def test_doubts_are_told_and_nothing_else():
    good = [100, 60, 30, 12, 10, 10.1, 9.9, 10, 10]
    assert doubts_of(scores(*good), 800) == []
    cases = {
        "the time was up after 800 of 900 steps": (good, 900),
        "did not improve on its start: 100 at best, 100 untrained": ([100, 120, 130, 120], 300),
        "still falling at the end, from 35 to 15": ([100, 90, 80, 70, 60, 40, 30, 20, 10], 800),
        "unstable: the attacker kept, after 400 steps, reaches 10, the last one 90": ([100, 60, 30, 12, 10, 90], 500),
    }
    for words, (means, steps) in cases.items():
        (told,) = doubts_of(scores(*means), steps)
        assert words in told


def test_a_training_too_short_says_so_in_the_document():
    options = "episodes=4,rollout=16,epochs=1,learning_rate=1e-6"
    report = evaluate(duel_of(), Tracker(), [f"ppo(steps=16,{options})"], episodes=4)
    (record,) = report.attacks
    assert any("oracle ppo: training did not improve on its start" in told for told in record.warnings)


def test_what_it_cannot_do_is_refused():
    with pytest.raises(RefusedError, match="needs a simulated game"):
        evaluate(attack("matrix:rock-paper-scissors", "partial-control", 1.0), "uniform", ["ppo"])
    with pytest.raises(RequestError, match="option hidden"):
        default_registry().create("oracle", "ppo(hidden=64-x)")
    with pytest.raises(RequestError, match="there is no option 'actions'"):
        default_registry().create("oracle", "ppo(actions=raw)")
