"""Networks of trained agents: each architecture against torch's own, normalisation once, states kept apart."""

from __future__ import annotations

import json
import pickle

import numpy as np
import pytest

import network_files
from sparring import load_game, load_policy
from sparring.acting import Acting, HasActionValues, HasInputGradient, HasModule
from sparring.errors import RefusedError, RequestError
from sparring.policy import Ability
from sparring.simulated import EpisodeStreams, play
from sparring.simulated.normalising import Normalising
from sparring.streams import stream

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from sparring_plugins.networks.policy import NetworkPolicy  # noqa: E402
from sparring_plugins.networks.portable import read_pair, write_pair  # noqa: E402


def policy_of(made):
    return NetworkPolicy(*made)


def seen(policy, batch=7, seed=3):
    return stream(seed, "observations").normal(size=(batch, *policy.observation)) * 2


def acted(policy, observation, memory=None):
    start = policy.begin(len(observation)) if memory is None else memory
    return policy.act(observation, start, EpisodeStreams(range(len(observation)), "policy"))


# ---- what the numbers are --------------------------------------------------------------------------------------------


def by_hand(tensors, normalised):
    """The MLP of `network_files.gaussian` in plain numpy."""
    hidden = normalised.astype(np.float32)
    for layer in ("fc0", "fc1"):
        hidden = np.tanh(hidden @ tensors[f"policy.{layer}.weight"].T + tensors[f"policy.{layer}.bias"])
    return hidden @ tensors["policy.out.weight"].T + tensors["policy.out.bias"]


def test_observations_are_normalised_once_and_clipped():
    description, tensors = network_files.gaussian()
    policy = NetworkPolicy(description, tensors)
    observation = seen(policy) * 3
    scaled = np.clip((observation - tensors["obs_mean"]) / (tensors["obs_std"] + 1e-8), -2, 2)
    assert (abs(scaled) == 2).any()
    assert (abs(scaled) < 2).any()
    assert policy.normalised(observation).tobytes() == scaled.astype(np.float32).tobytes()
    actions, _ = acted(policy, observation)
    assert actions == pytest.approx(by_hand(tensors, scaled), abs=1e-5)
    twice = by_hand(tensors, np.clip((scaled - tensors["obs_mean"]) / tensors["obs_std"], -2, 2))
    assert abs(actions - twice).max() > 0.05
    assert abs(actions - by_hand(tensors, observation)).max() > 0.05


def test_the_inner_policy_takes_what_is_normalised_already():
    policy = policy_of(network_files.gaussian())
    assert isinstance(policy, Normalising)
    observation = seen(policy)
    inner = policy.inner()
    assert acted(inner, policy.normalised(observation))[0].tobytes() == acted(policy, observation)[0].tobytes()
    assert inner.inner() is inner
    beyond = np.full((1, 4), 5.0)  # changed after clipping, and not clipped again
    assert acted(inner, beyond)[0].tobytes() != acted(inner, np.clip(beyond, -2, 2))[0].tobytes()


def test_the_lstm_is_torchs_own():
    description, tensors = network_files.recurrent()
    policy = NetworkPolicy(description, tensors)
    cell = torch.nn.LSTMCell(5, 3)
    cell.load_state_dict(
        {name.split(".")[2]: torch.tensor(array) for name, array in tensors.items() if ".lstm." in name}
    )
    h = c = torch.zeros(7, 3)
    memory = policy.begin(7)
    for step in range(5):
        observation = seen(policy, seed=step)
        x = torch.tensor(observation, dtype=torch.float32)
        embedded = torch.relu(
            x @ torch.tensor(tensors["policy.embed.weight"]).T + torch.tensor(tensors["policy.embed.bias"])
        )
        h, c = cell(embedded, (h, c))
        wanted = h @ torch.tensor(tensors["policy.out.weight"]).T + torch.tensor(tensors["policy.out.bias"])
        actions, memory = acted(policy, observation, memory)
        assert actions == pytest.approx(wanted.detach().numpy(), abs=1e-6)
        assert memory == pytest.approx(torch.cat([h, c], 1).detach().numpy(), abs=1e-6)


def test_the_convolutions_with_gru_are_torchs_own():
    description, tensors = network_files.frames()
    policy = NetworkPolicy(description, tensors).greedy()
    cell = torch.nn.GRUCell(36, 5)
    cell.load_state_dict({name[4:]: torch.tensor(array) for name, array in tensors.items() if name.startswith("gru.")})
    h, memory = torch.zeros(7, 5), policy.begin(7)
    for step in range(4):
        observation = seen(policy, seed=step)
        x = torch.tensor(observation, dtype=torch.float32)
        for layer in ("conv1", "conv2"):
            weight, bias = (torch.tensor(tensors[f"{layer}.{part}"]) for part in ("weight", "bias"))
            x = torch.nn.functional.elu(torch.conv2d(x, weight, bias, stride=2, padding=1))
        h = cell(x.flatten(1), h)
        logits = h @ torch.tensor(tensors["policy.weight"]).T + torch.tensor(tensors["policy.bias"])
        actions, memory = acted(policy, observation, memory)
        assert memory == pytest.approx(h.detach().numpy(), abs=1e-6)
        assert actions.tolist() == logits.argmax(1).tolist()


def test_deterministic_networks_are_squashed_and_clipped_to_the_action_space():
    description, tensors = network_files.gaussian(
        action_distribution={"kind": "deterministic"}, clip_action=True, observation_normalisation={"formula": "none"}
    )
    description["policy"] = {**description["policy"], "hidden_activation": "relu", "output_activation": "tanh"}
    tensors["policy.out.bias"][:] = (9, -9)
    limits = (np.array([-0.5, -0.25]), np.array([0.5, 0.25]))
    free = NetworkPolicy(description, tensors)
    with pytest.raises(RequestError, match="fitted to an action space; load it with the game"):
        acted(free, seen(free))
    assert acted(NetworkPolicy(description, tensors, limits), seen(free))[0].tolist() == [[0.5, -0.25]] * 7
    assert free.normalised(seen(free)).tobytes() == seen(free).astype(np.float32).tobytes()


def test_actions_are_stretched_to_the_action_space():
    described = network_files.gaussian(action_distribution={"kind": "deterministic"}, rescale_action=True)
    limits = (np.array([-1.0, 2.0]), np.array([3.0, 4.0]))
    stretched, plain = NetworkPolicy(*described, limits), policy_of(network_files.gaussian())
    wanted = acted(plain, seen(plain))[0] * [2, 1] + [1, 3]
    assert acted(stretched, seen(plain))[0] == pytest.approx(wanted, abs=1e-5)
    with pytest.raises(RequestError, match="load it with the game"):
        NetworkPolicy(*described).module()


def test_drawn_actions_follow_the_stated_distribution():
    policy = policy_of(network_files.gaussian()).sampled()
    same = np.repeat(seen(policy, 1), 4000, axis=0)
    drawn, mean = acted(policy, same)[0], acted(policy.greedy(), same[:1])[0]
    assert drawn.mean(0) == pytest.approx(mean[0], abs=0.1)
    assert drawn.std(0) == pytest.approx(np.exp(policy.tensors["policy.log_std"]), rel=0.05)
    choosing = policy_of(network_files.frames())
    same = np.repeat(seen(choosing, 1), 4000, axis=0)
    actions, _ = acted(choosing, same)
    logits = choosing.outputs(torch.tensor(same[:1]), choosing.begin(1))
    assert np.bincount(actions, minlength=3) / 4000 == pytest.approx(torch.softmax(logits, 1)[0].numpy(), abs=0.03)


def test_an_adversary_proposes_changes_from_minus_one_to_one():
    policy = policy_of(network_files.adversary())
    large = seen(policy) * 20
    changes, _ = acted(policy, large)
    assert changes.shape == large.shape
    assert abs(changes).max() == 1
    assert (abs(changes) < 1).any()
    assert policy.outputs(torch.tensor(large), None).numpy() == pytest.approx(changes, abs=1e-6)


# ---- states ----------------------------------------------------------------------------------------------------------


def test_a_state_does_not_leak_between_episodes_or_rows():
    policy = policy_of(network_files.recurrent())
    first, second = seen(policy, 3, 1), seen(policy, 3, 2)
    start = policy.begin(3)
    alone, memory = acted(policy, first, start)
    assert not policy.begin(3).any()
    later, memory = acted(policy, second, memory)
    assert abs(later - acted(policy, second)[0]).max() > 1e-3  # it does remember
    renewed = policy.renew(memory, np.array([True, False, False]))
    assert acted(policy, first, renewed)[0][0].tobytes() == alone[0].tobytes()
    assert renewed[1].tobytes() == memory[1].tobytes()
    assert not renewed[0].any()
    assert not start.any()
    row, _ = acted(policy, first[1:2])
    assert row[0] == pytest.approx(alone[1], abs=1e-6)


def test_recurrent_episodes_depend_on_their_seeds_alone():
    pytest.importorskip("mujoco")
    game = load_game("gym:InvertedPendulum-v5(max_episode_steps=12)")
    policy = policy_of(network_files.recurrent(outputs=1))
    one = play(game.world(1), policy, [4, 5, 4])
    assert one.returns[0] == one.returns[2]
    assert one.lengths[0] == one.lengths[2]
    world = game.world(2)
    assert play(world, policy, [4, 5]).lengths.tolist() == play(world, policy, [4, 5]).lengths.tolist()


# ---- modules and gradients -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [network_files.gaussian, network_files.adversary])
def test_a_network_is_traced_as_it_acts(make):
    policy = policy_of(make())
    assert isinstance(policy, Acting)
    assert isinstance(policy, HasModule)
    assert {Ability.MODULE, Ability.DETERMINISTIC} <= policy.abilities
    module = policy.module()
    observation = torch.tensor(seen(policy), dtype=next(module.parameters()).dtype)
    traced = torch.fx.symbolic_trace(module)
    assert torch.equal(traced(observation), module(observation))
    assert module(observation).detach().numpy() == pytest.approx(acted(policy, seen(policy))[0], abs=1e-5)
    with torch.no_grad():
        next(module.parameters()).zero_()  # handed out to be changed
    assert not np.array_equal(module(observation).detach().numpy(), policy.module()(observation).detach().numpy())


@pytest.mark.parametrize("make", [network_files.recurrent, network_files.frames])
def test_one_step_of_a_recurrent_network_is_traced_with_its_state(make):
    policy = policy_of(make()).greedy()
    assert Ability.RECURRENT in policy.abilities
    assert Ability.MODULE not in policy.abilities
    with pytest.raises(RefusedError, match="use recurrent_module"):
        policy.module()
    step = policy.recurrent_module()
    observation = torch.tensor(seen(policy), dtype=torch.float32)
    state = torch.rand((7, len(policy.first_state())), generator=torch.Generator().manual_seed(0))
    traced = torch.fx.symbolic_trace(step)
    for found, wanted in zip(traced(observation, state), step(observation, state), strict=True):
        assert torch.equal(found, wanted)
    assert step(observation, state)[1].numpy() == pytest.approx(acted(policy, seen(policy), state.numpy())[1], abs=1e-6)
    assert not policy.first_state().any()


@pytest.mark.parametrize("make", [network_files.gaussian, network_files.recurrent])
def test_gradients_are_those_of_what_it_does(make):
    policy = policy_of(make())
    assert isinstance(policy, HasInputGradient)
    memory = policy.begin(1)
    at = seen(policy, 1) * 0.3
    observation = torch.tensor(at, requires_grad=True)
    policy.outputs(observation, memory)[0, 0].backward()
    for feature in range(4):
        beside = np.zeros_like(at)
        beside[0, feature] = 1e-2
        rise = policy.act(at + beside, memory, None)[0] - policy.act(at - beside, memory, None)[0]
        assert rise[0, 0] / 2e-2 == pytest.approx(float(observation.grad[0, feature]), abs=2e-3)


def test_other_networks_of_a_file():
    description, tensors = network_files.gaussian()
    with pytest.raises(RequestError, match="has no network 'critic'"):
        NetworkPolicy(description, tensors).network("critic")
    description["value"] = {"kind": "mlp", "sizes": [4, 3, 1], "hidden_activation": "relu"}
    shapes = {"value.fc0.weight": (3, 4), "value.fc0.bias": (3,), "value.out.weight": (1, 3), "value.out.bias": (1,)}
    value = NetworkPolicy(description, tensors | network_files.drawn(shapes)).network("value")
    assert value(torch.zeros(5, 4)).shape == (5, 1)


def test_action_values():
    described = network_files.gaussian(action_distribution={"kind": "values"})
    policy = policy_of(described)
    assert isinstance(policy, HasActionValues)
    assert Ability.ACTION_VALUES in policy.abilities
    values = policy.action_values(seen(policy), None)
    assert acted(policy, seen(policy))[0].tolist() == values.argmax(1).tolist()
    with pytest.raises(RefusedError, match="no action values"):
        policy_of(network_files.gaussian()).action_values(np.zeros((1, 4)), None)


def test_making_a_network_draws_nothing():
    before = torch.random.get_rng_state()
    for make in (network_files.gaussian, network_files.recurrent, network_files.frames):
        policy_of(make())
    assert torch.equal(torch.random.get_rng_state(), before)


# ---- files -----------------------------------------------------------------------------------------------------------

EVERY = [network_files.gaussian, network_files.recurrent, network_files.frames, network_files.adversary]


@pytest.mark.parametrize("make", EVERY)
def test_a_pair_comes_back_bit_for_bit(make, tmp_path):
    policy = policy_of(make())
    write_pair(policy, tmp_path / "one.x.safetensors")
    again = read_pair(tmp_path / "one.x.json")
    write_pair(again, tmp_path / "two.safetensors")
    assert (tmp_path / "two.safetensors").read_bytes() == (tmp_path / "one.x.safetensors").read_bytes()
    assert (tmp_path / "two.json").read_bytes() == (tmp_path / "one.x.json").read_bytes()
    assert {name: (a.dtype, a.tobytes()) for name, a in again.tensors.items()} == {
        name: (a.dtype, a.tobytes()) for name, a in policy.tensors.items()
    }
    assert acted(again, seen(policy))[0].tobytes() == acted(policy, seen(policy))[0].tobytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "one.x.json",
        "one.x.safetensors",
        "two.json",
        "two.safetensors",
    ]


@pytest.mark.parametrize("make", EVERY)
def test_documents_and_pickles_come_back_bit_for_bit(make):
    policy = policy_of(make()).inner()
    document = json.loads(json.dumps(policy.to_document(), allow_nan=False))
    for again in (NetworkPolicy.of_document(document), pickle.loads(pickle.dumps(policy))):
        assert again.to_document() == policy.to_document()
        assert acted(again, seen(policy))[0].tobytes() == acted(policy, seen(policy))[0].tobytes()
    with pytest.raises(RequestError, match="not a policy's document"):
        NetworkPolicy.of_document({"kind": "network"})


def test_halves_of_two_pairs_are_no_pair(tmp_path):
    write_pair(policy_of(network_files.gaussian()), tmp_path / "a")
    described, tensors = network_files.gaussian()
    tensors["policy.out.bias"] = tensors["policy.out.bias"] + 1
    write_pair(NetworkPolicy(described, tensors), tmp_path / "b")
    (tmp_path / "b.safetensors").replace(tmp_path / "a.safetensors")
    with pytest.raises(RequestError, match=r"a\.safetensors: its checksum is not the one that a\.json states"):
        read_pair(tmp_path / "a.safetensors")
    with pytest.raises(RequestError, match=r"b\.safetensors: No such file"):
        read_pair(tmp_path / "b.json")
    (tmp_path / "a.json").unlink()
    with pytest.raises(RequestError, match=r"a\.json: missing; it says what the tensors beside it are"):
        load_policy(f"file:{tmp_path / 'a.safetensors'}")


def spoilt(change):
    description, tensors = network_files.gaussian()
    change(description, tensors)
    return description, tensors


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda d, t: t.pop("policy.fc1.weight"), r"no tensor 'policy\.fc1\.weight'; did you mean"),
        (lambda d, t: t.update({"policy.fc0.bias": np.zeros(3)}), r"shape \[3\], its architecture says \[8\]"),
        (lambda d, t: t.update({"policy.fc0.bias": np.full(8, np.nan)}), "holds NaN"),
        (lambda d, t: t.pop("obs_std"), "normalises observations, and the tensor 'obs_std' is missing"),
        (lambda d, t: t.update(obs_std=np.zeros(4) - 1e-8), "deviations above 0"),
        (lambda d, t: t.update(obs_std=np.ones(3), obs_mean=np.ones(3)), r"normalises \[3\], its network takes \[4\]"),
        (lambda d, t: d.pop("policy"), "no 'policy' with the network's architecture"),
        (lambda d, t: d["policy"].update(kind="mpl"), "unknown architecture 'mpl'; did you mean 'mlp'"),
        (lambda d, t: d["policy"].update(sizes=[4, 0]), r"an mlp of sizes \[4, 0\]"),
        (lambda d, t: d["policy"].update(hidden_activation="tahn"), "no activation 'tahn'; did you mean 'tanh'"),
        (lambda d, t: d.pop("action_distribution"), "no 'action_distribution' with a kind"),
        (lambda d, t: d["action_distribution"].update(kind="beta"), "unknown action distribution 'beta'"),
        (lambda d, t: d["action_distribution"].update(acts="best"), "acts 'best', choose from"),
        (
            lambda d, t: (d["action_distribution"].update(acts="sample"), t.pop("policy.log_std")),
            "'policy.log_std' is missing",
        ),
    ],
)
def test_what_does_not_fit_is_one_line(change, words):
    with pytest.raises(RequestError, match=words) as caught:
        policy_of(spoilt(change))
    assert str(caught.value).startswith("drawn: ")
    assert "\n" not in str(caught.value)


def test_wrong_sizes_say_both_and_what_would_fit(tmp_path):
    pytest.importorskip("mujoco")
    write_pair(policy_of(network_files.gaussian(111, 8)), tmp_path / "ant")
    with pytest.raises(
        RequestError,
        match=r"takes observations \[111\], gym:Ant-v5 gives \[105\]; gym:Ant-v4\(use_contact_forces=true\) would fit",
    ):
        load_policy(f"file:{tmp_path / 'ant.safetensors'}", load_game("gym:Ant-v5"))
    fits = load_game("gym:Ant-v4(use_contact_forces=true)")
    assert load_policy(f"file:{tmp_path / 'ant.safetensors'}", fits).action_limits[1].tolist() == [1] * 8
    world = {"modern_id": "Hopper-v4", "modern_kwargs": {"exclude_current_positions_from_observation": False}}
    write_pair(policy_of(network_files.gaussian(12, 3, environment=world)), tmp_path / "hopper")
    with pytest.raises(
        RequestError, match=r"gym:Hopper-v4\(exclude_current_positions_from_observation=false\) would fit"
    ):
        load_policy(f"file:{tmp_path / 'hopper.json'}", fits)
    write_pair(policy_of(network_files.gaussian(27, 3)), tmp_path / "three")
    with pytest.raises(RequestError, match=r"gives numbers 3, gym:Ant-v4 takes 8 numbers"):
        load_policy(f"file:{tmp_path / 'three.json'}", load_game("gym:Ant-v4"))
    with pytest.raises(RequestError, match=r"a network of a one-agent game"):
        load_policy(f"file:{tmp_path / 'three.json'}", load_game("matrix:matching-pennies"))
    write_pair(policy_of(network_files.gaussian(4, 2)), tmp_path / "cart")
    with pytest.raises(RequestError, match=r"gives numbers 2, gym:CartPole-v1 takes one of 2"):
        load_policy(f"file:{tmp_path / 'cart.json'}", load_game("gym:CartPole-v1"))


# ---- published agents ------------------------------------------------------------------------------------------------


def test_every_published_agent_loads_and_is_written_again(shared_folder, tmp_path):
    folder = shared_folder / "victims"
    agents = json.loads((folder / "MANIFEST.json").read_text())["agents"]
    assert len(agents) > 50
    for agent in agents:
        policy = load_policy(f"file:{folder / agent['name']}.safetensors")
        wanted = {"adversary": "direction"}.get(agent["role"])
        assert wanted in (None, policy.reading.gives)
        given = policy.outputs(torch.zeros((1, *policy.observation)), policy.begin(1))
        assert given.shape == (1, policy.outputs_count)
        assert bool(torch.isfinite(given).all())
    write_pair(policy, tmp_path / "again")
    assert read_pair(tmp_path / "again.json").description.keys() >= policy.description.keys()


@pytest.mark.parametrize(
    ("agent", "spec", "mean", "room"),
    [
        ("halfcheetah-sappo", "gym:HalfCheetah-v4(masses=legacy)", 3632, 40),  # deviation 10 over ten episodes
        ("hopper-sappo", "gym:Hopper-v4(masses=legacy)", 3718, 60),  # 8; 3753 on another processor
        ("invertedpendulum-ddpg", "gym:InvertedPendulum-v4", 1000, 0.1),  # 0
        ("walker-atlalstmsa", "gym:Walker2d-v4(masses=legacy)", 3968, 300),  # 83
    ],
)
def test_published_agents_get_the_recorded_returns(shared_folder, agent, spec, mean, room):
    pytest.importorskip("mujoco")
    game = load_game(spec)
    policy = load_policy(f"file:{shared_folder / 'victims' / agent}.safetensors", game)
    found = play(game.world(2), policy, [1, 2])
    assert found.returns == pytest.approx([mean, mean], abs=room)
    assert found.truncated.all()


def test_a_released_adversary_does_the_recorded_harm(shared_folder):
    """Attacks by hand: `z + eps * hardtanh(m(z))` on what the victim's network sees, not clipped again."""
    pytest.importorskip("mujoco")
    game = load_game("gym:HalfCheetah-v4(masses=legacy)")
    files = [
        f"file:{shared_folder / 'victims' / name}.safetensors" for name in ("halfcheetah-ppo", "halfcheetah-ppo.attack")
    ]
    victim, attacker = (load_policy(file, game) for file in files)
    radius = victim.description["eps"]
    assert radius == 0.15
    world, returns = game.world(2), np.zeros(2)
    observation = world.reset([1, 2])
    for _ in range(1000):
        truth = victim.normalised(observation)
        change, _ = attacker.act(truth, None, None)
        actions, _ = victim.inner().act(truth + radius * change, None, None)
        step = world.step(actions)
        observation, returns = step.observations, returns + step.rewards
    assert returns == pytest.approx([-727, -727], abs=200)  # deviation 65 over ten episodes; 7139 without attack


@pytest.mark.parametrize(("hidden", "output"), [("tanh", "none"), ("relu", "tanh"), ("elu", "hardtanh")])
def test_a_network_asked_without_modules_gives_the_same_bits(hidden, output):
    from sparring_plugins.networks.mlp import Mlp

    torch.manual_seed(0)
    network = Mlp((11, 64, 64, 3), hidden, output)
    bare = network.bare()
    for batch in (1, 2, 16, 33):
        seen = torch.randn(batch, 11)
        with torch.inference_mode():
            assert torch.equal(bare(seen), network(seen))
