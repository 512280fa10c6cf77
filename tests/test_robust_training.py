"""The solver files that solve matrices and trees, unchanged, where victim and attacker are each a PPO learner."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import sparring
from sparring.attack_game import Effort, Side
from sparring.cli import run
from sparring.errors import RefusedError
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.learning import Learning
from sparring.simulated.views import VictimView
from sparring_plugins import solvers
from tiny_world import Constant, TinyGame

torch = pytest.importorskip("torch")

from sparring_plugins.learners.ppo import Ppo  # noqa: E402

LEARNER = "ppo(rollout=128,learning_rate=0.01)"
RAW = "observation(space=raw)"
SPECS = (
    f"min-oracle(rate=1,decay=none,policy=last,learner={LEARNER})",
    f"two-timescale(victim_rate=0.5,attacker_rate=2,policy=last,learner={LEARNER})",
    f"agda(rate=1,policy=last,learner={LEARNER})",
    f"sgda(rate=1,policy=last,learner={LEARNER})",
)
SEEDS = range(10_000, 10_080)


def duel_of(threat=RAW, budget=0.5):
    return sparring.attack(TinyGame(), threat, budget).in_batches(40)


def solved(duel, spec, iterations, **more):
    effort = Effort(steps=512)
    return sparring.solve(duel, spec, iterations=iterations, trace_every=1000, effort=effort, seed=1, **more)


def test_no_solver_knows_the_simulated_form():
    for path in Path(solvers.__file__).parent.glob("*.py"):
        assert "simulated" not in path.read_text(encoding="utf-8").lower(), path.name


@pytest.mark.parametrize(("spec", "threat"), [*zip(SPECS, [RAW, "action(mode=mix)"] * 2, strict=True)])
def test_a_solver_trains_a_victim_that_gains_under_attack(spec, threat):
    duel = duel_of(threat, 0.3)
    answer = solved(duel, spec, 16)
    fresh = duel.freeze(duel.start(Side.VICTIM, 1, LEARNER))
    harm = Constant([-1.0, -1.0])  # shows too little or pushes down
    trained, untrained = (duel.play(victim, harm, SEEDS).returns.mean() for victim in (answer.policy, fresh))
    assert trained > untrained + 2
    assert answer.trace[-1].steps >= 16 * (128 + (512 if "min-oracle" in spec else 128))


def test_the_attacker_of_a_solver_learns_to_hurt():
    duel = duel_of(RAW, 1.0)
    answer = solved(duel, SPECS[0], 12)
    alone = duel.play(answer.policy, None, SEEDS).returns.mean()
    assert duel.play(answer.policy, answer.attacker, SEEDS).returns.mean() < alone - 0.5


@pytest.mark.parametrize("spec", SPECS[:2])
def test_a_run_goes_on_bit_for_bit(spec, tmp_path):
    whole = solved(duel_of(), spec, 4)
    solved(duel_of(), spec, 2, folder=tmp_path)
    parts = solved(duel_of(), spec, 4, folder=tmp_path)
    assert parts.policy.to_document() == whole.policy.to_document()
    assert parts.attacker.to_document() == whole.attacker.to_document()
    assert parts.trace[-1].steps == whole.trace[-1].steps


def test_a_rate_counts_the_learners_own_step_size():
    duel, rng = duel_of(), np.random.default_rng
    slow, fast = (f"ppo(rollout=128,learning_rate={rate})" for rate in (0.001, 0.004))
    attacker = RandomAttacker()
    one, _ = duel.step(duel.start(Side.VICTIM, 0, slow), attacker, 4.0, rng(2))
    other, _ = duel.step(duel.start(Side.VICTIM, 0, fast), attacker, 1.0, rng(2))
    third, _ = duel.step(duel.start(Side.VICTIM, 0, slow), attacker, 1.0, rng(2))
    assert torch.equal(one.parameters.weights, other.parameters.weights)
    assert not torch.equal(one.parameters.weights, third.parameters.weights)


def test_exploitability_with_an_effort_has_a_learned_attacker_among_its_own():
    duel = duel_of(RAW, 1.0)
    victim = duel.freeze(duel.start(Side.VICTIM, 1, LEARNER))
    assert duel._oracles_for(victim, None) == ["random", "mad"]
    assert duel._oracles_for(victim, Effort(steps=500)) == ["random", "mad", "ppo"]


# ---- behind the normalisation of a victim that learns ----------------------------------------------------------------


class Watching(Constant):
    """Keeps what it is shown, and changes the first number alone."""

    def begin(self, batch):
        self.proposal.clear()

    def act(self, observation, memory, rng):
        self.proposal.append(np.array(observation))
        return np.tile([1.0, 0.0], (len(observation), 1)), memory


def test_the_budget_is_measured_behind_the_statistics_of_the_victim_as_it_stands():
    duel, attacker, rng = duel_of("observation", 0.3), Watching([]), np.random.default_rng(0)
    state = duel.start(Side.VICTIM, 0, LEARNER)
    for _ in range(3):
        victim = duel.freeze(state)
        view = VictimView(duel.game.world(5), attacker, duel.channels, duel.game.action, "here", behind=victim)
        view.reset(range(5))
        truth, shown = view._world.observations, view.observations
        assert np.array_equal(attacker.proposal[-1], victim.normalised(truth))
        moved = victim.normalised(shown).astype(np.float64) - victim.normalised(truth)
        assert moved[:, 0] == pytest.approx(np.full(5, 0.3), abs=1e-5)
        assert shown[:, 1].tobytes() == truth[:, 1].tobytes(), "to the last bit, where nothing is changed"
        state, _ = duel.step(state, attacker, 1.0, rng)
        assert duel.freeze(state).normalised(truth).tobytes() != victim.normalised(truth).tobytes()


def test_every_update_has_statistics_of_its_own(monkeypatch):
    duel, used = duel_of("observation", 0.3), []
    find = Learning._behind

    def watched(learning, learner, own):
        used.append(find(learning, learner, own))
        return used[-1]

    monkeypatch.setattr(Learning, "_behind", watched)
    state = duel.start(Side.VICTIM, 0, LEARNER)
    effort = Effort(steps=3 * 128)
    duel.respond(Side.VICTIM, RandomAttacker(), warm=state, effort=effort, rng=np.random.default_rng(0))
    assert [len(policy.tensors.get("obs_mean", ())) for policy in used] == [0, 2, 2]
    assert used[1].tensors["obs_mean"].tobytes() != used[2].tensors["obs_mean"].tobytes()


def test_the_world_of_a_victim_that_learns_is_the_attack_game():
    duel, attacker = duel_of("observation", 0.4), Constant([1.0, -0.5])
    state = duel.start(Side.VICTIM, 0, LEARNER)
    for _ in range(2):
        state, _ = duel.step(state, attacker, 1.0, np.random.default_rng(0))
    victim = duel.freeze(state).greedy()
    view = VictimView(duel.game.world(6), attacker, duel.channels, duel.game.action, "here", behind=victim)
    view.reset(range(6))
    total, finished = np.zeros(6), np.zeros(6, dtype=np.bool_)
    while not finished.all():
        step = view.step(victim.act(view.observations, None, np.random.default_rng(0))[0])
        total, finished = total + step.rewards, step.finished
    assert total == pytest.approx(duel.play(victim, attacker, range(6)).returns, rel=1e-5)


def test_a_solver_trains_a_victim_behind_its_own_normalisation():
    duel = duel_of("observation", 0.3)
    answer = solved(duel, SPECS[1], 16)
    fresh = duel.freeze(duel.start(Side.VICTIM, 1, LEARNER))
    for harm in (Constant([-1.0, -1.0]), answer.attacker):
        trained, untrained = (duel.play(victim, harm, SEEDS).returns.mean() for victim in (answer.policy, fresh))
        assert trained > untrained + 2


def test_a_learner_that_keeps_its_normalisation_to_itself_is_refused_in_one_line(monkeypatch):
    duel = duel_of("observation")
    state = duel.start(Side.VICTIM, 0, LEARNER)
    monkeypatch.setattr(Ppo, "policy", lambda *_: Constant([0.0, 0.0]))
    with pytest.raises(
        RefusedError, match=r"which a learner of type PpoLearner keeps to itself; measure it before \(space=raw"
    ):
        duel.step(state, RandomAttacker(), 1.0, np.random.default_rng(0))


def test_the_command_line_solves_resumes_and_evaluates(tmp_path, capsys, monkeypatch):
    pytest.importorskip("mujoco")
    monkeypatch.chdir(tmp_path)
    game = "gym:InvertedPendulum-v5(max_episode_steps=12)"
    learner = "ppo(rollout=64,epochs=1)"

    def call(*words):
        assert run(list(words)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    def solve(solver, iterations, folder):
        call("solve", game, "--solver", f"{solver}(learner={learner})", "--threat", RAW, "--budget", "0.1",
             "--iterations", str(iterations), "--effort", "64", "--out", folder)  # fmt: skip

    for solver in ("min-oracle", "two-timescale"):
        solve(solver, 2, f"{solver}-whole")
        solve(solver, 1, f"{solver}-parts")
        solve(solver, 2, f"{solver}-parts")
        one, other = (Path(f"{solver}-{name}", "policy.json").read_bytes() for name in ("whole", "parts"))
        assert one == other
    words = ["--threat", RAW, "--budget", "0.1", "--oracle", "random", "--episodes", "3", "--json", "-"]
    told = json.loads(call("evaluate", game, "--victim", "run:min-oracle-whole", *words))
    assert told["victim"]["spec"] == "run:min-oracle-whole"
    assert 0 < told["nominal"]["value"] <= 12
