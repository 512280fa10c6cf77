"""The project's PPO: each formula against a slow one, learning, states that resume bit for bit."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from small_worlds import Bandit, Recall, Steady, Target
from sparring.errors import RequestError, SparringError
from sparring.simulated import Box, Discrete, EpisodeStreams, World, play
from sparring.streams import stream

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from sparring.acting import Acting, HasInputGradient, HasModule  # noqa: E402
from sparring_plugins.learners.actor_critic import Pieces  # noqa: E402
from sparring_plugins.learners.adam import Adam, Averages  # noqa: E402
from sparring_plugins.learners.advantages import generalised_advantages  # noqa: E402
from sparring_plugins.learners.heads import Categorical, Gaussian  # noqa: E402
from sparring_plugins.learners.layout import Parameters  # noqa: E402
from sparring_plugins.learners.logs import CsvLog  # noqa: E402
from sparring_plugins.learners.minibatches import Minibatch, in_pieces, in_steps  # noqa: E402
from sparring_plugins.learners.model import model_for  # noqa: E402
from sparring_plugins.learners.moments import Moments  # noqa: E402
from sparring_plugins.learners.objective import policy_slope, value_slope  # noqa: E402
from sparring_plugins.learners.ppo import Ppo  # noqa: E402
from sparring_plugins.learners.rollout import Collector  # noqa: E402
from sparring_plugins.learners.scaling import discounted_returns  # noqa: E402
from sparring_plugins.learners.settings import PpoSettings  # noqa: E402
from sparring_plugins.learners.training import annealed  # noqa: E402
from sparring_plugins.networks.normaliser import Normaliser  # noqa: E402
from sparring_plugins.networks.portable import read_pair, write_pair  # noqa: E402

QUICK = {"rollout": 256, "epochs": 4, "learning_rate": 3e-3, "anneal": False}
VECTOR = Box(np.full(3, -np.inf), np.full(3, np.inf))
REACH = Box(np.array([-2.0, 0.0]), np.array([1.0, 4.0]), "float32")


def begun(world, **settings):
    learner = Ppo(PpoSettings(**{**QUICK, **settings}))
    return learner, learner.start(world.observation, world.action, 0)


def updated(learner, state, world, count, rate=None):
    returns = []
    for _ in range(count):
        state, info = learner.update(state, world, rate=rate)
        returns.append(info.metrics["return"])
    return state, returns


def bits(state):
    """Everything in a state, for comparison bit by bit."""
    tensors = (state.weights, state.averages.mean, state.averages.square)
    arrays = (state.seen.mean, state.seen.spread, state.gained.mean, state.gained.spread)
    kept = state.ongoing
    episodes = () if kept is None else (kept.memory, kept.discounted, kept.returns, kept.lengths)
    counts = (state.updates, state.steps, state.averages.count, state.seen.count, state.gained.count)
    return [each.numpy().tobytes() for each in tensors] + [each.tobytes() for each in (*arrays, *episodes)], counts


def test_small_worlds_are_worlds():
    assert isinstance(Target(2), World)


# ---- formulas --------------------------------------------------------------------------------------------------------


def test_advantages_are_the_sums_that_the_paper_writes():
    rng = np.random.default_rng(0)
    rewards, values, following = (rng.normal(size=(9, 3)) for _ in range(3))
    finished = rng.random((9, 3)) < 0.3
    found = generalised_advantages(rewards, values, following, finished, 0.9, 0.8)
    for step in range(9):
        for place in range(3):
            wanted, weight = 0.0, 1.0
            for later in range(step, 9):
                wanted += weight * (rewards + 0.9 * following - values)[later, place]
                weight *= 0.9 * 0.8
                if finished[later, place]:
                    break
            assert found[step, place] == pytest.approx(wanted, abs=1e-12)


def clipped_loss(logs, old, advantages, clip):
    ratio = (logs - old).exp()
    return -torch.minimum(ratio * advantages, ratio.clamp(1 - clip, 1 + clip) * advantages).mean()


def test_the_slope_of_the_clipped_objective_is_what_autograd_finds():
    generator = torch.Generator().manual_seed(0)
    logs = torch.randn(200, generator=generator, dtype=torch.float64).requires_grad_()
    old, advantages = (torch.randn(200, generator=generator, dtype=torch.float64) for _ in range(2))
    (wanted,) = torch.autograd.grad(clipped_loss(logs, old, advantages, 0.2), logs)
    found = policy_slope(logs.detach() - old, advantages, 0.2)
    assert torch.allclose(found, wanted, atol=1e-15)
    assert 20 < int((found == 0).sum()) < 180  # some are clipped


def test_a_good_action_becomes_likelier_and_a_bad_one_less_likely():
    slope = policy_slope(torch.zeros(2), torch.tensor([1.0, -1.0]), 0.2)
    assert slope.tolist() == [-0.5, 0.5]  # Adam goes against the slope
    far = policy_slope(torch.log(torch.tensor([1.3, 0.7, 0.7, 1.3])), torch.tensor([1.0, 1.0, -1.0, -1.0]), 0.2)
    assert [float(each) != 0 for each in far] == [False, True, False, True]


@pytest.mark.parametrize("clip", [None, 0.3])
def test_the_slope_of_the_value_loss_is_what_autograd_finds(clip):
    generator = torch.Generator().manual_seed(1)
    values, before, targets = (torch.randn(100, generator=generator, dtype=torch.float64) for _ in range(3))
    values.requires_grad_()
    loss = (values - targets) ** 2
    if clip is not None:
        loss = torch.maximum(loss, (before + (values - before).clamp(-clip, clip) - targets) ** 2)
    (wanted,) = torch.autograd.grad(0.7 * loss.mean() / 2, values)
    assert torch.allclose(value_slope(values.detach(), before, targets, 0.7, clip), wanted, atol=1e-15)


@pytest.mark.parametrize("kind", ["gaussian", "categorical"])
def test_heads_are_torchs_distributions(kind):
    generator = torch.Generator().manual_seed(2)
    outputs = torch.randn(50, 3, generator=generator, dtype=torch.float64).requires_grad_()
    log_std = torch.tensor([0.1, -0.7, 0.4], dtype=torch.float64, requires_grad=True)
    weights, into = {"policy.log_std": log_std.detach()}, {"policy.log_std": torch.zeros(3, dtype=torch.float64)}
    slope = torch.randn(50, generator=generator, dtype=torch.float64)
    if kind == "gaussian":
        head, law = Gaussian(3, 0.0), torch.distributions.Normal(outputs, log_std.exp())
        actions = torch.randn(50, 3, generator=generator, dtype=torch.float64)
        logs, entropy = law.log_prob(actions).sum(1), law.entropy().sum(1).mean()
    else:
        head, law = Categorical({}), torch.distributions.Categorical(logits=outputs)
        actions = torch.randint(3, (50,), generator=generator)
        logs, entropy = law.log_prob(actions), law.entropy().mean()
    loss = (slope * logs).sum() - 0.3 * entropy
    wanted = torch.autograd.grad(loss, [outputs, log_std], allow_unused=True)
    scored = head.score(weights, outputs.detach(), actions)
    assert torch.allclose(scored.log_probabilities, logs.detach(), atol=1e-12)
    assert head.entropy(weights, outputs.detach()) == pytest.approx(float(entropy.detach()), abs=1e-12)
    assert torch.allclose(head.slopes(scored, slope, 0.3, into), wanted[0], atol=1e-12)
    if kind == "gaussian":
        assert torch.allclose(into["policy.log_std"], wanted[1], atol=1e-12)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("hidden", [(7,), (6, 5, 4)])
def test_the_chain_rule_by_hand_is_autograds(activation, hidden):
    settings = PpoSettings(hidden=hidden, activation=activation)
    model = model_for(settings, VECTOR, REACH)
    with torch.no_grad():
        parameters = Parameters(model.layout, model.initial(np.random.default_rng(0), 0.01) * 1.5)
        seen, upper, lower = (torch.randn(11, size, generator=torch.Generator().manual_seed(3)) for size in (3, 2, 1))
        forward = model.pair.forward(parameters, seen, None)
        forward.back(upper, lower[:, 0])
    leaf = parameters.flat.clone().requires_grad_()
    views, bend = model.layout.views(leaf), getattr(torch, activation)
    given = []
    for place, name in enumerate(("policy", "value")):
        rows = seen
        for number in range(len(hidden)):
            rows = bend(rows @ views[f"hidden{number}.weight"][place].T + views[f"hidden{number}.bias"][place])
        given.append(rows @ views[f"{name}.weight"].T + views[f"{name}.bias"])
    (wanted,) = torch.autograd.grad(given, leaf, [upper, lower])
    assert torch.allclose(forward.outputs, given[0], atol=1e-6)
    assert torch.allclose(forward.values, given[1][:, 0], atol=1e-6)
    assert torch.allclose(parameters.gradient, wanted, atol=1e-5)
    with torch.no_grad():
        assert torch.allclose(model.pair.values(parameters.at, seen, torch.zeros(11, 0)), forward.values, atol=1e-6)
        acted, _ = model.pair.acting(parameters.at)(seen.numpy(), np.zeros((11, 0), dtype=np.float32))
        assert acted == pytest.approx(forward.outputs.numpy(), abs=1e-6)


def test_adam_is_torchs():
    generator = torch.Generator().manual_seed(4)
    ours = torch.randn(30, generator=generator)
    theirs = ours.clone().requires_grad_()
    adam, peer = Adam(Averages.none(30), 0.01, limit=2.0), torch.optim.Adam([theirs], lr=0.01, eps=1e-5)
    for _ in range(5):
        slope = torch.randn(30, generator=generator)
        theirs.grad = slope.clone()
        wanted = torch.nn.utils.clip_grad_norm_([theirs], 2.0)
        assert adam.step(ours, slope) == pytest.approx(float(wanted), rel=1e-6)
        peer.step()
    assert torch.allclose(ours, theirs.detach(), atol=1e-6)


def test_moments_and_returns_are_numpys():
    rows = np.random.default_rng(5).normal(3, 2, size=(70, 4))
    found = Moments.none((4,))
    for start in (0, 13, 40):
        found = found.with_rows(rows[start : {0: 13, 13: 40, 40: 70}[start]])
    assert found.mean == pytest.approx(rows.mean(axis=0))
    assert found.deviation == pytest.approx(rows.std(axis=0))
    rewards, finished = np.ones((4, 1)), np.array([[False], [True], [False], [False]])
    sums, after = discounted_returns(rewards, finished, np.array([10.0]), 0.5)
    assert sums[:, 0].tolist() == [6.0, 4.0, 1.0, 1.5]
    assert after.tolist() == [1.5]


def test_the_step_size_falls_in_a_line():
    assert [annealed(0.4, done, 100) for done in (0, 25, 100, 130)] == pytest.approx([0.4, 0.3, 0.0, 0.0])


# ---- minibatches -----------------------------------------------------------------------------------------------------


def numbered(count):
    ramp = torch.arange(count, dtype=torch.float32)
    return Minibatch(ramp[:, None], ramp[:, None], ramp, ramp, ramp, ramp)


def test_each_step_is_learned_from_once_an_epoch():
    parts = list(in_steps(numbered(23), 5, np.random.default_rng(0), standard=True))
    assert [len(part.seen) for part in parts] == [5, 5, 5, 5, 3]
    assert sorted(torch.cat([part.values for part in parts]).tolist()) == list(range(23))
    for part in parts:
        wanted = (part.values - part.values.mean()) / (part.values.std() + 1e-8)
        assert torch.allclose(part.advantages, wanted, atol=1e-6)


def test_pieces_are_cut_where_episodes_end_and_keep_their_order():
    finished = np.zeros((10, 2), dtype=np.bool_)
    finished[[3, 9], 0] = True
    finished[0, 1] = True
    memory = np.arange(20, dtype=np.float32).reshape(10, 2, 1)
    seen = []
    for part in in_pieces(numbered(20), memory, finished, 8, 4, np.random.default_rng(0), standard=False):
        steps, columns = part.pieces.rows.shape
        table = part.values[part.pieces.rows]
        used = torch.zeros(steps * columns, dtype=torch.bool)
        used[part.pieces.places] = True
        assert torch.equal(table.flatten()[part.pieces.places], part.values)
        for column in range(columns):
            rows = table[used.view(steps, columns)[:, column], column].int().tolist()
            if rows:
                assert part.pieces.memory[column] == rows[0]  # the memory is that before the piece's first step
                seen.append(rows)
    wanted = [[0, 2, 4, 6], [8, 10, 12, 14], [16, 18], [1], [3, 5, 7, 9], [11, 13, 15, 17], [19]]
    assert sorted(seen) == sorted(wanted)


# ---- recurrent networks ----------------------------------------------------------------------------------------------


def collected(world, steps, normaliser=None, **settings):
    learner, state = begun(world, **settings)
    model = model_for(learner.settings, world.observation, world.action)
    with torch.no_grad():
        parameters = Parameters(model.layout, state.weights + 0.1)
        collector = Collector(model, parameters, normaliser, world.action, learner.settings.actions)
        rng = stream(1, "collect")
        return model, parameters, collector.collect(world, collector.begin(world, rng), steps, rng)


def test_an_lstm_learns_from_the_very_steps_that_it_acted_in():
    model, parameters, rollout = collected(Recall(3), 11, network="lstm", hidden=(5, 6))
    rows = numbered(33)._replace(seen=torch.from_numpy(rollout.seen).flatten(0, 1))
    found, values = torch.zeros(33, 2), torch.zeros(33)
    with torch.no_grad():
        for part in in_pieces(rows, rollout.memory, rollout.finished, 8, 3, np.random.default_rng(0), standard=False):
            forward = model.pair.forward(parameters, part.seen, part.pieces)
            found[part.values.long()], values[part.values.long()] = forward.outputs, forward.values
    assert found.numpy() == pytest.approx(rollout.outputs.reshape(33, 2), abs=1e-6)
    assert values.numpy() == pytest.approx(rollout.values.ravel(), abs=1e-6)


def test_an_lstm_has_the_slope_of_finite_differences():
    model = model_for(PpoSettings(network="lstm", hidden=(3, 4)), VECTOR, REACH)
    generator = torch.Generator().manual_seed(6)
    seen, upper, lower = (torch.randn(5, size, generator=generator) for size in (3, 2, 1))
    memory = torch.randn(2, 16, generator=generator)
    pieces = Pieces(memory, torch.tensor([[0, 3], [1, 4], [2, 0]]), torch.tensor([0, 2, 4, 1, 3]))
    flat = model.initial(np.random.default_rng(0), 0.01) * 1.5

    def whole(weights):
        forward = model.pair.forward(Parameters(model.layout, weights), seen, pieces)
        return float((forward.outputs * upper).sum() + (forward.values * lower[:, 0]).sum())

    with torch.no_grad():
        parameters = Parameters(model.layout, flat)
        model.pair.forward(parameters, seen, pieces).back(upper, lower[:, 0])
        direction = torch.randn(len(flat), generator=generator)
        step = 3e-3
        wanted = (whole(flat + step * direction) - whole(flat - step * direction)) / (2 * step)
    assert float(parameters.gradient @ direction) == pytest.approx(wanted, rel=1e-2)


def test_memory_is_zero_where_an_episode_begins_and_nowhere_else():
    _, _, rollout = collected(Recall(3), 13, network="lstm", hidden=(5, 6))
    begins = np.concatenate([np.ones((1, 3), dtype=bool), rollout.finished[:-1]])
    assert begins.sum() > 6
    assert (rollout.memory[begins] == 0).all()
    assert (rollout.memory[~begins] != 0).all()


# ---- episodes that end and episodes that are cut ---------------------------------------------------------------------


def test_what_follows_is_nothing_at_an_end_and_the_last_value_at_a_cut():
    model, parameters, ended = collected(Steady(2, ended=True), 12)
    _, _, cut = collected(Steady(2, ended=False), 12)
    over = ended.finished
    assert np.flatnonzero(over[:, 0]).tolist() == [4, 9]
    assert (cut.finished == over).all()
    assert (ended.following[over] == 0).all()
    last = cut.observations[4, :] * 5 / 6  # what the world shows after the fifth step
    with torch.no_grad():
        wanted = model.pair.values(parameters.at, torch.from_numpy(np.float32(last)), torch.zeros(2, 0))
    assert cut.following[4] == pytest.approx(wanted.numpy(), abs=1e-6)
    assert (cut.following[over] != 0).all()
    inside = ~over[:-1]
    assert (cut.following[:-1][inside] == cut.values[1:][inside]).all()


def test_a_cut_teaches_that_more_would_have_come():
    returns = []
    for ended in (True, False):
        world = Steady(4, ended=ended)
        learner, state = begun(world, normalise_rewards=False, discount=0.9, rollout=160)
        state, _ = updated(learner, state, world, 40)
        model = model_for(learner.settings, world.observation, world.action)
        with torch.no_grad():
            at = model.layout.views(state.weights)
            returns.append(float(model.pair.values(at, torch.zeros(1, 1), torch.zeros(1, 0))))
    assert returns[0] < 4  # five steps at most
    assert returns[1] > 7  # 10 for ever


# ---- learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("actions", ["raw", "clipped", "hardtanh"])
def test_it_meets_a_target(actions):
    world = Target(8)
    learner, state = begun(world, actions=actions, initial_log_std=-1.0)
    state, returns = updated(learner, state, world, 40)
    assert returns[0] < -0.3
    greedy = play(Target(8), learner.policy(state).greedy(), range(100)).returns
    assert greedy.mean() > -0.02


def test_it_solves_a_bandit():
    world = Bandit(8)
    learner, state = begun(world, entropy_weight=0.01)
    state, returns = updated(learner, state, world, 30)
    assert returns[0] < 1
    assert play(Bandit(8), learner.policy(state), range(100)).returns.mean() > 1.85


def test_only_memory_recalls():
    reached = {}
    for network, hidden in (("mlp", (32, 32)), ("lstm", (16, 16))):
        world = Recall(16)
        learner, state = begun(world, network=network, hidden=hidden, sequence=4, rollout=512, batch=128)
        state, _ = updated(learner, state, world, 25, rate=5e-3)
        reached[network] = play(Recall(16), learner.policy(state).greedy(), range(200)).returns.mean()
    assert reached["lstm"] > 0.95
    assert reached["mlp"] < 0.3


def test_it_learns_to_balance_a_pole():
    pytest.importorskip("gymnasium")
    from sparring import load_game

    game = load_game("gym:CartPole-v1")
    world = game.world(8)
    learner = Ppo(PpoSettings(rollout=1024, learning_rate=2e-3, epochs=6, anneal=False))
    state, returns = updated(learner, learner.start(game.observation, game.action, 0), world, 14)
    assert returns[0] < 40
    assert play(game.world(8), learner.policy(state).greedy(), range(16)).returns.mean() > 150


# ---- the same again --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["mlp", "lstm"])
def test_the_same_seed_gives_the_same_weights_and_leaves_global_chance_alone(network):
    ends = []
    before = torch.random.get_rng_state().clone(), np.random.get_state()[1].copy()
    for _ in range(2):
        world = Recall(4)
        learner, state = begun(world, network=network, hidden=(8, 8), rollout=64)
        ends.append(bits(updated(learner, state, world, 3)[0]))
    assert ends[0] == ends[1]
    assert torch.equal(before[0], torch.random.get_rng_state())
    assert (before[1] == np.random.get_state()[1]).all()
    other = Ppo(learner.settings).start(world.observation, world.action, 1)
    assert bits(updated(learner, other, Recall(4), 3)[0]) != ends[0]


@pytest.mark.parametrize("network", ["mlp", "lstm"])
def test_it_resumes_bit_for_bit_in_the_midst_of_episodes(network, tmp_path):
    world = Recall(3)
    learner, state = begun(world, network=network, hidden=(8, 8), rollout=66)  # 22 steps, episodes of 4
    half, _ = updated(learner, state, world, 2)
    learner.save(half, tmp_path / "half.ppo")
    whole, _ = updated(learner, half, world, 2)
    read = Ppo(learner.settings).load(tmp_path / "half.ppo")
    assert bits(read) == bits(half)
    again, _ = updated(learner, read, Recall(3), 2)
    assert bits(again) == bits(whole)
    assert [each.name for each in tmp_path.iterdir()] == ["half.ppo"]


def test_it_resumes_a_simulator(tmp_path):
    pytest.importorskip("mujoco")
    from sparring import load_game

    game = load_game("gym:InvertedPendulum-v5")
    learner = Ppo(PpoSettings(rollout=90, epochs=2))
    half, _ = learner.update(learner.start(game.observation, game.action, 0), game.world(3))
    learner.save(half, tmp_path / "half.ppo")
    whole, _ = learner.update(half, game.world(3))
    again, _ = learner.update(learner.load(tmp_path / "half.ppo"), game.world(3))
    assert bits(again) == bits(whole)
    assert half.ongoing.lengths.any()


def test_adam_goes_on_from_update_to_update():
    world = Target(4)
    learner, state = begun(world)
    first, _ = learner.update(state, world)
    second, _ = learner.update(first, world)
    assert (state.averages.count, first.averages.count, second.averages.count) == (0, 16, 32)
    other, _ = learner.update(type(first)(**{**vars(first), "averages": state.averages}), Target(4))
    assert not torch.equal(other.weights, second.weights)


def test_an_update_leaves_its_state_as_it_was():
    world = Target(4)
    learner, state = begun(world)
    state, _ = learner.update(state, world)
    before = bits(state)
    first, _ = learner.update(state, world)
    second, _ = learner.update(state, world)  # the world has gone on meanwhile, and is set back
    assert bits(state) == before
    assert bits(first) == bits(second)


def test_a_given_generator_decides_all():
    learner, state = begun(Target(4))
    first, other, again = (
        bits(learner.update(state, Target(4), rng=np.random.default_rng(seed))[0]) for seed in (1, 2, 1)
    )
    assert first == again
    assert first != other


def test_training_that_is_stopped_ends_as_if_it_were_not(tmp_path):
    def run(name, stop):
        world = Target(4)
        learner, state = begun(world, rollout=64, anneal=True)
        log = CsvLog(tmp_path / f"{name}.csv", state)

        def interrupt(state, info):
            if state.updates == stop:
                raise KeyboardInterrupt

        path = tmp_path / f"{name}.ppo"
        try:
            return learner.train(state, world, 640, checkpoint=path, every=4, logs=[log], watch=interrupt)
        except KeyboardInterrupt:
            kept = learner.load(path)
            assert kept.updates == stop
            log = CsvLog(tmp_path / f"{name}.csv", kept)
            return learner.train(kept, Target(4), 640, checkpoint=path, logs=[log])

    whole, stopped = run("whole", None), run("stopped", 6)
    assert bits(stopped) == bits(whole)
    assert (tmp_path / "whole.csv").read_text() == (tmp_path / "stopped.csv").read_text()
    with (tmp_path / "stopped.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [int(row["updates"]) for row in rows] == list(range(1, 11))
    assert float(rows[-1]["rate"]) == pytest.approx(QUICK["learning_rate"] / 10)


# ---- policies handed out ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", ["mlp", "lstm"])
@pytest.mark.parametrize("actions", ["raw", "clipped", "hardtanh"])
def test_the_policy_acts_as_the_learner_does(network, actions, tmp_path):
    learner = Ppo(PpoSettings(network=network, hidden=(6, 6), actions=actions, initial_log_std=-0.5))
    state = learner.start(VECTOR, REACH, 0)
    rng = np.random.default_rng(0)
    rows = rng.normal([5.0, -100.0, 0.01], [2.0, 30.0, 0.001], size=(500, 3))
    state = type(state)(**{**vars(state), "weights": state.weights + 0.2, "seen": state.seen.with_rows(rows)})
    policy = learner.policy(state, {"name": "mine"})
    assert isinstance(policy, Acting)
    assert isinstance(policy, HasModule)
    assert isinstance(policy, HasInputGradient)
    model = model_for(learner.settings, VECTOR, REACH)
    normaliser = Normaliser(rows.mean(axis=0), rows.std(axis=0) + 1e-8, learner.settings.observation_clip)
    assert policy.normalised(rows) == pytest.approx(normaliser(rows), abs=1e-5)
    memory, act = policy.begin(4), model.pair.acting(model.layout.views(state.weights))
    inner = np.zeros((4, model.pair.width), dtype=np.float32)
    write_pair(policy, tmp_path / "mine.json")
    again = read_pair(tmp_path / "mine.json")
    kept = learner.restore(policy.to_document())
    from sparring_plugins.learners.actions import fitting

    for step in range(3):  # a second normalisation, or none, would be far off
        observations = rows[4 * step : 4 * step + 4]
        with torch.no_grad():
            outputs, inner = act(normaliser(observations), inner)
            noise = stream(step, "noise").standard_normal((4, 2))
            drawn = model.head.draw(model.layout.views(state.weights), outputs, noise)
        acted, after = policy.act(observations, memory, stream(step, "noise"))
        assert acted == pytest.approx(fitting(REACH, actions)(drawn), abs=1e-5)
        if actions != "hardtanh":  # limits come from the game
            assert again.normalised(observations).tobytes() == policy.normalised(observations).tobytes()
        assert kept.act(observations, memory, stream(step, "noise"))[0].tobytes() == acted.tobytes()
        memory = after
    assert np.abs(outputs).max() > 0.05


def test_an_adversary_gives_directions():
    unit = Box(np.full(3, -1.0), np.full(3, 1.0))
    learner = Ppo(PpoSettings(actions="hardtanh", normalise_observations=False))
    policy = learner.policy(learner.start(VECTOR, unit, 0), adversary=True)
    assert policy.reading.gives == "direction"
    proposed, _ = policy.act(np.ones((2, 3)) * 50, None, EpisodeStreams([0, 1], "policy"))
    assert proposed.shape == (2, 3)
    assert (abs(proposed) <= 1).all()


def test_snapshots_can_take_the_mean():
    learner = Ppo(PpoSettings(snapshots="mean"))
    policy = learner.policy(learner.start(VECTOR, REACH, 0))
    told = [policy.act(np.ones((2, 3)), None, stream(seed, "x"))[0].tobytes() for seed in (0, 1)]
    assert told[0] == told[1]


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_spaces_that_it_cannot_learn_in_are_named():
    learner = Ppo()
    with pytest.raises(RequestError, match=r"observations that are vectors, these are \[4, 4\]"):
        learner.start(Box(np.zeros((4, 4)), np.ones((4, 4))), Discrete(2), 0)
    with pytest.raises(RequestError, match="needs actions with limits"):
        Ppo(PpoSettings(actions="hardtanh")).start(VECTOR, VECTOR, 0)
    small, state = begun(Target(16), rollout=8)
    with pytest.raises(RequestError, match="a rollout of 8 steps for 16 episodes"):
        small.update(state, Target(16))


def test_weights_that_are_no_numbers_are_told():
    learner, state = begun(Target(4))
    broken = type(state)(**{**vars(state), "weights": state.weights * float("nan")})
    with pytest.raises(SparringError, match="not numbers"):
        learner.update(broken, Target(4))


def test_other_settings_other_versions_and_damaged_files_are_told(tmp_path, monkeypatch):
    learner, state = begun(Target(4))
    path = tmp_path / "kept.ppo"
    learner.save(state, path)
    with pytest.raises(RequestError, match="was trained with hidden=\\[64, 64\\]"):
        Ppo(PpoSettings(**QUICK, hidden=(32, 32))).load(path)
    with monkeypatch.context() as later:
        later.setattr("sparring_plugins.learners.checkpoint.version", lambda name: "99.0")
        with pytest.raises(RequestError, match=r"by sparring [\d.]+, this is 99\.0"):
            learner.load(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(RequestError, match="damaged"):
        learner.load(path)
    with pytest.raises(RequestError, match="no such file"):
        learner.load(tmp_path / "none.ppo")


class Stranger:
    """What a checkpoint of somebody else may hold."""

    def __reduce__(self):
        return print, ("code ran",)


def test_a_checkpoint_runs_no_code_without_consent(tmp_path, capsys):
    from sparring.trust import trusting

    learner, state = begun(Target(4))
    state, _ = learner.update(state, Target(4))
    path = tmp_path / "theirs.ppo"
    strange = type(state.ongoing)(**{**vars(state.ongoing), "world": Stranger()})
    learner.save(type(state)(**{**vars(state), "ongoing": strange}), path)
    with pytest.raises(RequestError, match=r"runs code.*builtins\.print"):
        learner.load(path)
    assert capsys.readouterr().out == ""
    with trusting([f"file:{path}"]):
        learner.load(path)
    assert capsys.readouterr().out == "code ran\n"
