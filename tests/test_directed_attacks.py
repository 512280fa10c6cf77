"""The oracle `pa-ad`: gradients go where its director says, it learns where that is, and comes back from its files."""

from __future__ import annotations

import numpy as np
import pytest

import sparring
from sparring import attack
from sparring.attack_game import Side
from sparring.errors import RefusedError, RequestError
from sparring.policy import Mixture
from sparring.registry import default_registry
from sparring.simulated.chance import EpisodeStreams
from tiny_world import Constant, TinyGame, Tracker

pytest.importorskip("torch", reason="the director is a network")

from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.oracles._directed_attacker import DirectedAttacker
from sparring_plugins.oracles._directed_training import DirectedWorld

QUICK = {"steps": 4000, "episodes": 8, "rollout": 256, "learning_rate": 0.01}
SHORT = {**QUICK, "steps": 1200, "select_every": 300, "select_episodes": 4}
SCORING = range(10_000, 10_080)
SEEDS = [0, 1, 2]


def duel_of(budget=0.5, threat="observation"):
    return attack(TinyGame(), threat, budget).in_batches(8)


def found_by(duel, victim, seed=0, **options):
    oracle = default_registry().create("oracle", "pa-ad").configured(options)
    return oracle.attack(duel, victim, effort=None, rng=np.random.default_rng(seed))


def returns(duel, victim, attacker):
    return duel.play(victim, attacker, SCORING).returns


def director(weight, bias):
    """A linear network of two inputs, whose outputs are clipped from -1 to 1."""
    weight, bias = np.array(weight, dtype=np.float32), np.array(bias, dtype=np.float32)
    told = {
        "policy": {"kind": "mlp", "sizes": [2, len(bias)]}, "role": "adversary", "proposals": len(bias),
        "clip_action": True,
    }  # fmt: skip
    return NetworkPolicy(told, {"policy.out.weight": weight, "policy.out.bias": bias})


@pytest.mark.parametrize("steps", [1, 8])
@pytest.mark.parametrize("norm", ["inf", "2", "1"])
def test_the_outputs_go_where_the_director_says(norm, steps):
    duel, victim = duel_of(0.3, f"observation(norm={norm})"), Tracker(weight=0.5)
    attacker = DirectedAttacker("direction", steps, 2.5 / steps if steps > 1 else 1.0, start="centre")
    rng, chance = np.random.default_rng(0), EpisodeStreams(SEEDS, "nothing")
    for view in list(duel.views(victim, SEEDS, 4))[1:]:
        directions = rng.uniform(-1, 1, size=(3, 2))
        proposals = attacker.towards(directions, view, chance)
        assert np.linalg.norm(proposals, ord=np.inf if norm == "inf" else int(norm), axis=1) == pytest.approx(1)
        shown = view.seen + 0.3 * proposals
        nominal, led = (victim.inner().act(seen, view.memory, None)[0] for seen in (view.seen, shown))
        reached = ((led - nominal) * directions).sum(axis=1)
        # Whatever else is shown within the budget moves the action less far that way.
        for _ in range(50):
            other = rng.normal(size=(3, 2))
            other /= np.linalg.norm(other, ord=np.inf if norm == "inf" else int(norm), axis=1, keepdims=True)
            moved = victim.inner().act(view.seen + 0.3 * other, view.memory, None)[0]
            assert (((moved - nominal) * directions).sum(axis=1) <= reached + 0.02).all()
        assert (reached > 0.02).all()


def test_it_brings_the_victim_as_low_as_can_be():
    duel, victim = duel_of(), Tracker()
    found = found_by(duel, victim, **QUICK)
    # The reward is the first number, which the victim pushes down the more, the higher it seems.
    nominal = returns(duel, victim, None).mean()
    best = nominal - returns(duel, victim, Constant([1.0, 0.0])).mean()
    assert nominal - returns(duel, victim, found.attacker).mean() > 0.95 * best > 0.5
    assert found.steps > QUICK["steps"]
    assert found.warnings == ()


def test_choices_are_led_by_their_probabilities(tmp_path):
    pytest.importorskip("gymnasium")
    duel = attack("gym:CartPole-v1(max_episode_steps=60)", "observation(space=raw)", 0.2).in_batches(8)
    told = {
        "policy": {"kind": "mlp", "sizes": [4, 2]},
        "action_distribution": {"kind": "categorical", "acts": "greedy"},
    }
    weight = np.array([[0.0, -0.1, -1.0, -0.6], [0.0, 0.1, 1.0, 0.6]], dtype=np.float32)
    victim = NetworkPolicy(told, {"policy.out.weight": weight, "policy.out.bias": np.zeros(2, dtype=np.float32)})
    found = found_by(duel, victim, **{**QUICK, "steps": 3000, "save": str(tmp_path / "led")})
    attacked = returns(duel, victim, found.attacker)
    assert attacked.mean() < returns(duel, victim, duel.draw(Side.ATTACKER, np.random.default_rng(0))).mean() - 5
    again = sparring.load_policy(f"file:{tmp_path}/led.json", duel.game)
    assert returns(duel, victim, again).tobytes() == attacked.tobytes()


def test_its_world_plays_what_the_attack_game_plays():
    duel, victim = duel_of(), Tracker(weight=0.5)
    leader = director([[0.3, -0.2], [0.1, 0.5]], [0.2, -0.4])
    attacker = DirectedAttacker("direction", 1, 1.0, start="centre", director=leader)
    world = DirectedWorld(duel.view(Side.ATTACKER, victim, 3), attacker)
    seen, total, finished = world.reset(SEEDS), np.zeros(3), np.zeros(3, dtype=bool)
    while not finished.all():
        kept = world.save()
        directions = leader.act(seen, None, None)[0]
        world.step(-directions)
        world.load(kept)  # as if that had never been
        step = world.step(directions)
        total += step.rewards
        seen, finished = step.observations, step.finished
    assert total == pytest.approx(-duel.play(victim, attacker, SEEDS).returns)


@pytest.mark.parametrize(
    ("victim", "network"), [(Tracker(), {}), (Tracker(weight=0.5), {"network": "lstm", "hidden": "8-8"})]
)
def test_a_training_that_was_stopped_goes_on_bit_for_bit(tmp_path, monkeypatch, victim, network):
    options = {**SHORT, **network, "actor_steps": 2}
    whole = found_by(duel_of(), victim, 5, **options)
    learns, count = Ppo.update, iter(range(100))

    def stopped(self, state, world, *, rate=None, rng=None):
        if next(count) == 3:
            raise KeyboardInterrupt
        return learns(self, state, world, rate=rate, rng=rng)

    monkeypatch.setattr(Ppo, "update", stopped)
    kept = {"checkpoint": str(tmp_path / "training"), "save": str(tmp_path / "mine")}
    with pytest.raises(KeyboardInterrupt):
        found_by(duel_of(), victim, 5, **options, **kept)
    resumed = found_by(duel_of(), victim, 5, **options, **kept)
    assert resumed.attacker.to_document() == whole.attacker.to_document()
    assert (resumed.steps, resumed.warnings) == (whole.steps, whole.warnings)
    again = sparring.load_policy(f"file:{tmp_path}/mine.json", duel_of().game)
    assert returns(duel_of(), victim, again).tobytes() == returns(duel_of(), victim, whole.attacker).tobytes()
    with pytest.raises(RequestError, match="another actor_steps"):
        found_by(duel_of(), victim, 5, **{**options, "actor_steps": 1}, **kept)
    black_box = default_registry().create("oracle", "ppo").configured({**SHORT, **network, **kept})
    with pytest.raises(RequestError, match="another oracle"):
        black_box.attack(duel_of(), victim, effort=None, rng=np.random.default_rng(5))


def test_what_it_cannot_do_is_refused():
    with pytest.raises(RefusedError, match="attacks what the victim sees"):
        found_by(duel_of(0.5, "action(mode=mix)"), Tracker(), **SHORT)
    mixture = Mixture((Tracker(), Tracker(0.5)), (0.5, 0.5))
    with pytest.raises(RefusedError, match="Mixture offers none"):
        found_by(duel_of(), mixture, **SHORT)
    with pytest.raises(RefusedError, match="a mixture of 2 victims cannot be read"):
        duel_of().view(Side.ATTACKER, mixture, 3).attack_view()
    raw = duel_of(0.5, "observation(space=raw)")
    with pytest.raises(RefusedError, match="needs a victim with differentiable"):
        sparring.evaluate(raw, raw.game.uniform_policy(None), ["pa-ad"], episodes=2)
