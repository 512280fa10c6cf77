"""Robust critics: what they learn where it is known, and attacks by them, which must lead the right way."""

from __future__ import annotations

import json

import numpy as np
import pytest

import sparring
from paying_world import LENGTH, PRICE, PayingGame
from sparring import attack, evaluate
from sparring.attack_game import Effort
from sparring.errors import RefusedError, RequestError
from sparring.registry import default_registry
from sparring.simulated.attackers import proposals_of
from sparring.simulated.chance import EpisodeStreams
from tiny_world import DEVIATION, MEAN, Tracker

torch = pytest.importorskip("torch")

from sparring_plugins.critics.learning import advanced, critic_of, first_state  # noqa: E402
from sparring_plugins.critics.robustness import penalty_of  # noqa: E402
from sparring_plugins.critics.settings import CriticSettings  # noqa: E402
from sparring_plugins.critics.transitions import collected  # noqa: E402

RAW, BEHIND = "observation(space=raw)", "observation"
BRIEF = "transitions=1024,epochs=12,batch=64,selection=20"
QUICK = f"{BRIEF},weights=3,spreads=3"


def duel_of(threat=BEHIND, budget=0.4, **told):
    return attack(PayingGame(**told), threat, budget)


def watched(duel, victim, count=512, spread=3.0, seed=0):
    return collected(duel, victim, count, spread, np.random.default_rng(seed), lambda done: None)


def trained(duel, victim, seen, **settings):
    chosen = CriticSettings(**{"weight": 0.0, "radius": 0.05, "epochs": 30, "batch": 64, **settings})
    state = first_state(chosen, seen, duel.game.action, 0)
    while state.epochs < chosen.epochs:
        state = advanced(chosen, state, seen, 0)
    return critic_of(chosen, state, seen)


def found(name, duel, victim, **options):
    oracle = default_registry().create("oracle", f"{name}({QUICK})")
    oracle = type(oracle)(**{**oracle.options.model_dump(), **options})
    return oracle.attack(duel, victim, effort=None, rng=np.random.default_rng(0))


def proposed(attacker, duel, victim):
    views = duel.views(victim, range(5), 3)
    return np.concatenate([proposals_of(attacker, v, None, EpisodeStreams(range(5), "test"))[0] for v in views])


# ---- what is collected -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ended", [True, False])
def test_transitions_are_those_of_the_world(ended):
    duel, victim = duel_of(ended=ended), Tracker(weight=0.5)
    seen = watched(duel, victim, spread=0.0)
    assert seen.states.shape == (32, 16, 2)
    inside = ~seen.finished[:-1]
    assert seen.next_states[:-1][inside].tobytes() == seen.states[1:][inside].tobytes()
    assert seen.next_actions[:-1][inside].tobytes() == seen.actions[1:][inside].tobytes()
    assert seen.rewards == pytest.approx(seen.actions @ PRICE + 1.0, abs=1e-6)
    assert (seen.finished.reshape(32, 16)[LENGTH - 1 :: LENGTH]).all()
    assert seen.finished.sum() == 16 * (32 // LENGTH)
    assert (seen.terminated == seen.finished).all() == ended
    # Without noise the victim's actions are known, memory included: it is new where an episode is.
    memory = np.zeros((16, 2))
    for step in range(32):
        memory = 0.5 * memory + 0.5 * seen.states[step]
        assert seen.actions[step] == pytest.approx(np.tanh(-seen.states[step] + 0.5 * memory), abs=1e-6)
        if not ended:
            after = 0.5 * memory + 0.5 * seen.next_states[step]
            assert seen.next_actions[step] == pytest.approx(np.tanh(-seen.next_states[step] + 0.5 * after), abs=1e-6)
        memory[seen.finished[step]] = 0.0


@pytest.mark.parametrize("threat", [RAW, BEHIND])
def test_states_are_as_the_victims_network_sees_them(threat):
    """Normalised once, wherever the attack works."""
    seen = watched(duel_of(threat), Tracker())
    states = seen.states.reshape(-1, 2)
    assert states.mean(axis=0) == pytest.approx(-MEAN / DEVIATION, abs=0.5)
    assert states.std(axis=0) == pytest.approx(1 / DEVIATION, rel=0.2)


def test_noise_is_the_victims_own():
    seen = watched(duel_of(), Tracker(noise=0.2), spread=0.0)
    nominal = np.tanh(-seen.states)
    assert (seen.actions - nominal).std() == pytest.approx(0.2, rel=0.1)
    for spread in (1.0, 3.0):  # a tenth of half the range for one that has none
        seen = watched(duel_of(), Tracker(), spread=spread)
        assert (seen.actions - np.tanh(-seen.states)).std() == pytest.approx(0.1 * spread, rel=0.1)

    class Gaussian(Tracker):
        deviation = np.array([0.2, 0.05])

    for victim in (Gaussian(), Gaussian(noise=0.2)):  # one that draws gets what is missing
        seen = watched(duel_of(), victim, spread=3.0)
        apart = (seen.actions - np.tanh(-seen.states)).std(axis=(0, 1))
        assert apart[0] == pytest.approx(0.6, rel=0.1)


# ---- what is learned -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trace", [0.0, 0.9])
def test_a_critic_learns_what_actions_are_worth(trace):
    duel, victim = duel_of(), Tracker()
    critic = trained(duel, victim, watched(duel, victim, 2048, spread=5.0), trace=trace, discount=0.5, epochs=40)
    seen = watched(duel, victim, 256, spread=3.0, seed=1)
    states, actions = (torch.from_numpy(part.reshape(-1, 2)) for part in (seen.states, seen.actions))
    actions.requires_grad_()
    (slope,) = torch.autograd.grad(critic.values(states, actions).sum(), actions)
    assert slope.mean(dim=0).numpy() == pytest.approx(PRICE, abs=0.15)


@pytest.mark.parametrize("trace", [0.0, 0.8])
def test_values_end_with_episodes_and_go_on_where_they_are_cut(trace):
    discount = 0.8
    for ended, right in ((False, 1 / (1 - discount)), (True, None)):
        duel, victim = duel_of(ended=ended), Tracker(gain=0.0)
        seen = watched(duel, victim, 1024, spread=0.0)
        critic = trained(duel, victim, seen, discount=discount, trace=trace, epochs=40)
        states, actions = (torch.from_numpy(part.reshape(-1, 2)) for part in (seen.states, seen.actions))
        value = float(critic.values(states, actions).mean())
        if right is None:  # the steps that are left cannot be seen: the mean over all of them, as they bootstrap
            assert value < 1 + discount * (LENGTH - 1) / LENGTH * 1 / (1 - discount)
            assert value > 1.5
        else:
            assert value == pytest.approx(right, rel=0.05)


@pytest.mark.parametrize("bounds", ["ibp", "crown-ibp", "sgld"])
def test_a_robust_critic_changes_less_with_the_action(bounds):
    duel, victim = duel_of(), Tracker()
    seen = watched(duel, victim)
    slopes = []
    for weight in (0.0, 30.0):
        critic = trained(duel, victim, seen, weight=weight, radius=0.2, bounds=bounds, epochs=9)
        states, actions = (torch.from_numpy(part.reshape(-1, 2)) for part in (seen.states, seen.actions))
        actions.requires_grad_()
        (slope,) = torch.autograd.grad(critic.judging(states)(actions).sum(), actions)
        slopes.append(float(slope.abs().sum(dim=1).mean()))
    assert slopes[1] < 0.5 * slopes[0]


def test_bounds_are_above_what_langevin_dynamics_find():
    duel, victim = duel_of(), Tracker()
    seen = watched(duel, victim)
    critic = trained(duel, victim, seen, epochs=3)
    network = critic._network
    states, actions = (torch.from_numpy(part.reshape(-1, 2)) for part in (seen.states, seen.actions))
    inputs = critic.scales.inputs(states)(actions)
    values, draw = network(inputs)[:, 0], torch.Generator().manual_seed(0)
    climbed, *above = (penalty_of(m, 2, 1.0, draw)(network, inputs, values, 0.2) for m in ("sgld", "crown", "ibp"))
    corners = torch.tensor([[i, j] for i in (-0.2, 0.2) for j in (-0.2, 0.2)])
    best = torch.stack(
        [(network(torch.cat([inputs[:, :2], inputs[:, 2:] + c], 1))[:, 0] - values) ** 2 for c in corners]
    )
    assert float((climbed / best.amax(0)).median()) > 0.95
    for bound in above:
        assert (bound >= climbed).all()
        assert (bound >= best.amax(0)).all()


# ---- attacks ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threat", [RAW, BEHIND])
@pytest.mark.parametrize("name", ["robust-sarsa", "rs+mad"])
def test_the_attack_lowers_what_is_paid(threat, name):
    """The victim's actions fall where it sees more: showing more of the first and less of the second costs most."""
    duel, victim = duel_of(threat, 0.4), Tracker(gain=0.5)
    finding = found(name, duel, victim)
    assert finding.warnings == ()
    right = proposed(finding.attacker, duel, victim) @ np.sign(PRICE)
    assert right.mean() > (1.8 if name == "robust-sarsa" else 0.2)
    values = [duel.play(victim, who, range(40)).returns.mean() for who in (finding.attacker, None)]
    assert values[0] < values[1] - 0.2
    assert finding.steps > 1024 + 20 * LENGTH
    assert all(each.episodes == 20 for each in finding.tried)


def test_a_grid_of_critics_is_tried_and_the_strongest_kept():
    duel, victim = duel_of(), Tracker(gain=0.5)
    finding = found("rs+mad", duel, victim, weights=(0.0, 1.0), radii=(0.02, 0.1), mixes=(0.0, 1.0))
    told = [each.oracle for each in finding.tried]
    assert len(told) == len(set(told)) == 8
    assert "rs+mad(weights=1,radii=0.02,starts=0,spreads=3,mixes=0)" in told
    best = min(each.value for each in finding.tried)
    (kept,) = [each.oracle for each in finding.tried if each.value == best][:1]
    assert f"mixes={finding.attacker.mix:g}" in kept
    assert finding.attacker.mix == 1.0  # the greatest change of the action is not the most costly one


def test_a_mixture_is_of_both_in_their_units():
    from dataclasses import replace

    from sparring_plugins.oracles._ascent import Slope
    from sparring_plugins.oracles._objectives import goal_of

    duel, victim = duel_of(), Tracker(gain=0.5)
    attacker = found("rs+mad", duel, victim, mixes=(0.25,)).attacker
    mad = default_registry().create("oracle", "mad").attacker(duel, victim)
    (view, *_) = duel.views(victim, range(4), 1)
    units = np.sign(np.random.default_rng(0).normal(size=(4, 2)))
    mixed, critic, divergence = (
        Slope(goal_of(each, view), view).height(units) for each in (attacker, replace(attacker, mix=1.0), mad)
    )
    assert divergence.mean() == pytest.approx(attacker.divergence_unit, rel=2)
    assert mixed == pytest.approx(0.25 * critic + 0.75 * divergence / attacker.divergence_unit, rel=1e-4)


def test_a_recurrent_victim_is_attacked_with_the_memory_that_it_has():
    duel, victim = duel_of(BEHIND, 0.4), Tracker(gain=0.5, weight=0.3)
    finding = found("robust-sarsa", duel, victim)
    values = [duel.play(victim, who, range(40)).returns.mean() for who in (finding.attacker, None)]
    assert values[0] < values[1] - 0.2


def test_the_same_seed_gives_the_same_critic_and_effort_limits_it():
    duel, victim = duel_of(), Tracker(gain=0.5)
    first, second = (found("robust-sarsa", duel, victim).attacker.to_document() for _ in range(2))
    assert json.dumps(first) == json.dumps(second)
    oracle = default_registry().create("oracle", f"robust-sarsa({QUICK})")
    finding = oracle.attack(duel, victim, effort=Effort(steps=256), rng=np.random.default_rng(0))
    assert 256 < finding.steps < 1024


def test_other_first_weights_give_other_critics():
    finding = found("robust-sarsa", duel_of(), Tracker(gain=0.5), starts=(0, 1, 2), epochs=2)
    assert len({each.value for each in finding.tried}) == 3
    assert [each.oracle.split("starts=")[1][0] for each in finding.tried] == ["0", "1", "2"]


def test_each_spread_has_its_own_transitions(tmp_path):
    duel, victim = duel_of(), Tracker(gain=0.5)
    kept = {"keep": str(tmp_path), "epochs": 2, "selection": 4}
    finding = found("robust-sarsa", duel, victim, spreads=(1.0, 3.0), **kept)
    assert [each.oracle.split("spreads=")[1] for each in finding.tried] == ["1)", "3)"]
    assert len(list(tmp_path.glob("transitions-*"))) == len(list(tmp_path.glob("critic-*"))) == 2
    alone = found("robust-sarsa", duel, victim, spreads=(3.0,), epochs=2, selection=4)
    assert alone.tried[0].value == finding.tried[1].value  # what is tried beside it changes nothing


def test_training_goes_on_where_it_was_stopped(tmp_path, monkeypatch):
    from sparring_plugins.oracles import _sarsa_training

    whole = found("robust-sarsa", duel_of(), Tracker(gain=0.5)).attacker.to_document()
    duel, true, done = duel_of(), _sarsa_training.advanced, []

    def stopped(settings, state, *rest):
        if state.epochs == 7 and not done:
            done.append(state.epochs)
            raise KeyboardInterrupt
        return true(settings, state, *rest)

    monkeypatch.setattr(_sarsa_training, "advanced", stopped)
    with pytest.raises(KeyboardInterrupt):
        found("robust-sarsa", duel, Tracker(gain=0.5), keep=str(tmp_path / "kept"))
    kept = sorted(path.name.split("-")[0] for path in (tmp_path / "kept").iterdir())
    assert kept == ["critic", "transitions"]
    before = sum(world.stepped for world in duel.game.worlds)
    monkeypatch.setattr(_sarsa_training, "collected", None)  # nothing is collected again
    resumed = found("robust-sarsa", duel, Tracker(gain=0.5), keep=str(tmp_path / "kept")).attacker.to_document()
    assert resumed == whole
    assert before >= 1024
    (broken,) = (tmp_path / "kept").glob("critic-*")
    broken.write_bytes(b"no critic")
    with pytest.raises(RequestError, match="is damaged"):
        found("robust-sarsa", duel, Tracker(gain=0.5), keep=str(tmp_path / "kept"))


def test_another_victim_does_not_take_what_is_kept(tmp_path):
    for gain in (0.5, 0.6):
        found("robust-sarsa", duel_of(), Tracker(gain=gain), keep=str(tmp_path), epochs=1)
    assert len(list(tmp_path.glob("transitions-*"))) == 2


def test_the_document_shows_what_was_tried():
    report = evaluate(duel_of(), Tracker(gain=0.5), [f"robust-sarsa({BRIEF},weights=0 1,spreads=3)"], episodes=4)
    (record,) = json.loads(report.to_text())["attacks"]
    assert [each["oracle"] for each in record["tried"]] == [
        f"robust-sarsa(weights={weight},radii=0.05,starts=0,spreads=3)" for weight in (0, 1)
    ]
    assert record["search"] is None


@pytest.mark.parametrize(
    ("threat", "victim", "words"),
    [
        ("action(mode=mix)", Tracker(), "which the threat does not touch"),
        (RAW, None, "needs a victim with differentiable"),
    ],
)
def test_what_cannot_be_attacked_is_refused(threat, victim, words):
    duel = duel_of(threat, 0.3)
    with pytest.raises(RefusedError, match=words):
        evaluate(duel, duel.game.uniform_policy(None) if victim is None else victim, ["robust-sarsa"], episodes=2)


@pytest.mark.parametrize("words", ["weights=-1", "radii=a b", "mixes=2", "bounds=nobody", "spreads=-1"])
def test_settings_that_mean_nothing_are_refused(words):
    with pytest.raises(RequestError, match=r"rs\+mad|nobody"):
        evaluate(duel_of(), Tracker(), [f"rs+mad({words},transitions=256,epochs=3)"], episodes=2)


def test_a_choice_of_actions_is_refused():
    pytest.importorskip("gymnasium")
    from test_simulated_attacks import network

    duel = attack(sparring.load_game("gym:CartPole-v1"), "observation(space=raw)", 0.1)
    victim = network(np.random.default_rng(0), (4, 8, 2), "values")
    with pytest.raises(RefusedError, match="use min-q"):
        evaluate(duel, victim, ["robust-sarsa"], episodes=2)


def test_a_trained_agent_falls():
    """The pendulum's own agent, which noise of the same size leaves upright."""
    pytest.importorskip("mujoco")
    from importlib.resources import files

    agent = files("sparring_plugins") / "agents" / "inverted-pendulum.safetensors"
    game = sparring.load_game("gym:InvertedPendulum-v5(max_episode_steps=200)")
    spec = "robust-sarsa(transitions=4096,epochs=12,batch=256,selection=4,weights=3,starts=0)"
    report = evaluate(attack(game, "observation", 0.6), f"file:{agent}", ["random", spec], episodes=6)
    noise, learned = (record.value for record in report.attacks)
    assert report.attacks[1].warnings == []
    assert learned < 0.5 * noise
