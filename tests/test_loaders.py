"""Policy loaders of the simulated form: other libraries' files without running them, code with consent only."""

from __future__ import annotations

import io
import json
import pickle
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest

from sparring import load_game, load_policy
from sparring.cli import run
from sparring.errors import RequestError
from sparring.policy import Ability
from sparring.simulated import EpisodeStreams, play
from sparring.trust import TRUST, require_trust, trusted, trusting

torch = pytest.importorskip("torch")
pytest.importorskip("gymnasium")
CART = "gym:CartPole-v1"


class Trap:
    """Pickles to a call that makes a file."""

    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return Path.touch, (self.mark,)


# ---- archives of stable-baselines3, made by hand ---------------------------------------------------------------------


def archive(path, tensors, home="stable_baselines3.common.policies", extra=b"", **fields):
    """An archive as stable-baselines3 writes it; `extra` stands where it keeps its pickles."""
    data = {
        "policy_class": {":type:": "<class 'abc.ABCMeta'>", ":serialized:": extra.hex(), "__module__": home},
        **fields,
    }
    weights = io.BytesIO()
    torch.save(tensors, weights)
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("data", json.dumps(data))
        made.writestr("policy.pth", weights.getvalue())
    return path


def actor(outputs=2, inputs=4, spread=False):
    generator = torch.Generator().manual_seed(0)
    shapes = {
        "mlp_extractor.policy_net.0": (6, inputs), "mlp_extractor.policy_net.2": (5, 6),
        "mlp_extractor.value_net.0": (6, inputs), "action_net": (outputs, 5), "value_net": (1, 6),
    }  # fmt: skip
    tensors = {f"{name}.weight": torch.randn(shape, generator=generator) for name, shape in shapes.items()}
    tensors |= {f"{name}.bias": torch.randn(shape[0], generator=generator) for name, shape in shapes.items()}
    return tensors | ({"log_std": torch.zeros(outputs)} if spread else {})


def logits(tensors, observation):
    hidden = torch.tensor(observation, dtype=torch.float32)
    for layer in ("mlp_extractor.policy_net.0", "mlp_extractor.policy_net.2"):
        hidden = torch.tanh(hidden @ tensors[f"{layer}.weight"].T + tensors[f"{layer}.bias"])
    return hidden @ tensors["action_net.weight"].T + tensors["action_net.bias"]


OBSERVATIONS = np.random.default_rng(0).normal(size=(9, 4))


def act(policy, observations=OBSERVATIONS):
    return policy.act(
        observations, policy.begin(len(observations)), EpisodeStreams(range(len(observations)), "policy")
    )[0]


def test_an_archive_acts_as_its_network_does(tmp_path):
    tensors = actor()
    policy = load_policy(f"sb3:{archive(tmp_path / 'agent.zip', tensors)}", load_game(CART))
    assert act(policy).tolist() == logits(tensors, OBSERVATIONS).argmax(1).tolist()
    assert policy.abilities == {Ability.DETERMINISTIC, Ability.DIFFERENTIABLE, Ability.MODULE}
    drawing = load_policy(f"sb3:{tmp_path / 'agent.zip'}(acts=sample)", load_game(CART))
    assert Ability.DETERMINISTIC not in drawing.abilities
    assert play(load_game(CART).world(2), drawing, range(3)).lengths.min() > 3


def test_the_activation_is_read_from_words(tmp_path):
    told = {":type:": "<class 'dict'>", "activation_fn": "<class 'torch.nn.modules.activation.ReLU'>"}
    path = archive(tmp_path / "relu.zip", actor(), policy_kwargs=told)
    policy = load_policy(f"sb3:{path}", load_game(CART))
    assert policy.description["policy"]["hidden_activation"] == "relu"
    with pytest.raises(RequestError, match="there is no activation 'mish'"):
        load_policy(
            f"sb3:{archive(path, actor(), policy_kwargs={'activation_fn': '<class x.Mish' + chr(39) + '>'})}",
            load_game(CART),
        )


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        (
            {"home": "sb3_contrib.common.recurrent.policies"},
            r"a policy of sb3_contrib\.common\.recurrent\.policies; those of PPO",
        ),
        ({"tensors": actor(3)}, r"gives one of 3, gym:CartPole-v1 takes one of 2"),
        ({"tensors": actor(inputs=7)}, r"takes observations \[7\], gym:CartPole-v1 gives \[4\]"),
        ({"tensors": {"a": torch.zeros(1)}}, "not those of a plain network"),
        ({"tensors": actor() | {"features_extractor.mine.weight": torch.zeros(1)}}, "a features extractor of its own"),
        ({"tensors": [1]}, "not the state of a policy"),
        ({"policy_kwargs": {"squash_output": "True"}}, "squashes its actions"),
        ({"policy_class": 3}, "its data name no policy_class"),
    ],
)
def test_archives_that_do_not_fit_are_one_line(fields, words, tmp_path):
    path = archive(tmp_path / "agent.zip", **{"tensors": actor(), **fields})
    with pytest.raises(RequestError, match=words) as caught:
        load_policy(f"sb3:{path}", load_game(CART))
    assert "\n" not in str(caught.value)


def test_options_of_an_archive(tmp_path):
    path = archive(tmp_path / "agent.zip", actor())
    for text, words in (
        (f"{path}(normalize=x)", "no option 'normalize'; did you mean 'normalisation'"),
        (f"{path}(acts=best)", "acts=best, choose from: greedy, sample"),
        (f"{path}(normalisation=absent.pkl)", "absent.pkl: No such file"),
        (f"{tmp_path / 'none.zip'}", "there is no such file"),
        (f"{tmp_path}", "a folder, expected an archive"),
    ):
        with pytest.raises(RequestError, match=words):
            load_policy(f"sb3:{text}", load_game(CART))
    odd = path.rename(tmp_path / "agent(1)")  # a file that really has such a name
    load_policy(f"sb3:{odd}", load_game(CART))
    with pytest.raises(RequestError, match="load it with the game it acts in"):
        load_policy(f"sb3:{archive(tmp_path / 'box.zip', actor(spread=True))}")


# ---- statistics of VecNormalize --------------------------------------------------------------------------------------


class VecNormalize:
    """Stands for the library's class, whose fields it is given."""

    def __init__(self, **fields):
        self.__dict__.update(fields)


class RunningMeanStd(VecNormalize):
    """Likewise."""


class Thing(VecNormalize):
    """Of a module that nobody knows."""


HOMES = {
    VecNormalize: "stable_baselines3.common.vec_env.vec_normalize",
    RunningMeanStd: "stable_baselines3.common.running_mean_std",
    Thing: "evil.place",
}


def dumped(thing):
    """A pickle in which the classes above go by the names of those that they stand for."""
    content = pickle.dumps(thing, protocol=2)
    for kind, home in HOMES.items():
        content = content.replace(f"c{__name__}\n{kind.__name__}\n".encode(), f"c{home}\n{kind.__name__}\n".encode())
    return content


MEAN, VARIANCE = np.array([0.5, -1, 2, 0]), np.array([4.0, 1, 0.25, 9])


def statistics(**fields):
    moments = RunningMeanStd(mean=MEAN, var=VARIANCE, count=3.0)
    return dumped(VecNormalize(**{"obs_rms": moments, "clip_obs": 1.5, "epsilon": 1e-3, "norm_obs": True, **fields}))


def test_statistics_normalise_once(tmp_path):
    tensors = actor()
    archive(tmp_path / "agent.zip", tensors)
    (tmp_path / "kept.pkl").write_bytes(statistics())
    policy = load_policy(f"sb3:{tmp_path / 'agent.zip'}(normalisation=kept.pkl)", load_game(CART))
    wanted = np.clip((OBSERVATIONS - MEAN) / np.sqrt(VARIANCE + 1e-3), -1.5, 1.5)
    assert policy.normalised(OBSERVATIONS).tobytes() == wanted.astype(np.float32).tobytes()
    assert act(policy).tolist() == logits(tensors, wanted).argmax(1).tolist()


def test_statistics_beside_an_archive_are_never_passed_over_in_silence(tmp_path):
    archive(tmp_path / "agent.zip", actor())
    (tmp_path / "vecnormalize.pkl").write_bytes(statistics())
    with pytest.raises(RequestError, match=r"vecnormalize\.pkl lies beside it.*normalisation=none"):
        load_policy(f"sb3:{tmp_path / 'agent.zip'}", load_game(CART))
    load_policy(f"sb3:{tmp_path / 'agent.zip'}(normalisation=none)", load_game(CART))


def test_statistics_name_nothing_but_arrays_and_fields(tmp_path):
    archive(tmp_path / "agent.zip", actor())
    mark = tmp_path / "mark"
    hostile = {
        "trap": (pickle.dumps(Trap(mark)), r"wants pathlib\.Path\.touch|wants pathlib|wants builtins\.getattr"),
        "inside": (statistics(venv=Trap(mark)), r"wants (pathlib|(builtins|__builtin__)\.getattr)"),
        "system": (b"cos\nsystem\n(S'touch " + str(mark).encode() + b"'\ntR.", r"wants (os|posix)\.system"),
        "getattr": (b"cbuiltins\ngetattr\n(S'a'\nS'upper'\ntR.", r"wants builtins\.getattr"),
        "eval": (b"c__builtin__\neval\n(S'1'\ntR.", r"wants __builtin__\.eval"),
        "codec": (b"c_codecs\nencode\n(S'a'\nS'rot13'\ntR.", "not statistics of VecNormalize"),
        "load": (b"cnumpy\nload\n(S'a'\ntR.", r"wants numpy\.load"),
        "unknown": (dumped(Thing()), r"wants evil\.place\.Thing"),
        "number": (pickle.dumps(3), "not statistics of VecNormalize"),
        "moments": (statistics(obs_rms=None), "not statistics of VecNormalize"),
        "off": (statistics(norm_obs=False), "say normalisation=none"),
        "damaged": (statistics()[:-9], "not statistics of VecNormalize"),
    }
    for name, (content, words) in hostile.items():
        (tmp_path / f"{name}.pkl").write_bytes(content)
        with pytest.raises(RequestError, match=words) as caught:
            load_policy(f"sb3:{tmp_path / 'agent.zip'}(normalisation={name}.pkl)", load_game(CART))
        assert f"{name}.pkl: " in str(caught.value)
        assert not mark.exists()
    policy = load_policy(f"sb3:{tmp_path / 'agent.zip'}(normalisation=none)", load_game(CART))
    assert policy.reading.normaliser is None
    pickle.loads(hostile["trap"][0])
    assert mark.exists()  # the trap works; it was not sprung


def test_what_is_pickled_in_an_archive_is_never_run(tmp_path):
    mark = tmp_path / "mark"
    trap = pickle.dumps(Trap(mark), protocol=2)
    sound = archive(
        tmp_path / "fields.zip", actor(), extra=trap, lr_schedule={":type:": "x", ":serialized:": trap.hex()}
    )
    load_policy(f"sb3:{sound}", load_game(CART))
    path = archive(tmp_path / "weights.zip", actor() | {"extra": Trap(mark)})
    with pytest.raises(RequestError, match=r"its policy\.pth holds more than tensors"):
        load_policy(f"sb3:{path}", load_game(CART))
    assert not mark.exists()
    with zipfile.ZipFile(tmp_path / "half.zip", "w") as half:
        half.writestr("data", "{}")
    with pytest.raises(RequestError, match=r"holds no 'policy\.pth'"):
        load_policy(f"sb3:{tmp_path / 'half.zip'}", load_game(CART))


# ---- the library itself, where it is installed -----------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["PPO", "A2C", "DQN", "SAC", "TD3"])
def test_archives_that_the_library_writes(algorithm, tmp_path):
    library = pytest.importorskip("stable_baselines3")
    spec = CART if algorithm in ("A2C", "DQN") else "gym:InvertedPendulum-v5"
    if spec != CART:
        pytest.importorskip("mujoco")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kind = getattr(library, algorithm)
        model = kind("MlpPolicy", spec.split(":")[1], policy_kwargs={"net_arch": [8, 8]}, seed=0, device="cpu")
        model.save(tmp_path / "agent")
    game = load_game(spec)
    policy = load_policy(f"sb3:{tmp_path / 'agent.zip'}", game)
    observations = OBSERVATIONS.astype(game.observation.dtype)
    wanted, _ = model.predict(observations, deterministic=True)
    assert act(policy, observations) == pytest.approx(wanted, abs=2e-6)


def test_statistics_that_the_library_writes(tmp_path):
    pytest.importorskip("stable_baselines3")
    from stable_baselines3.common import env_util, vec_env

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = vec_env.VecNormalize(env_util.make_vec_env("CartPole-v1", n_envs=2))
        kept.reset()
        for _ in range(9):
            kept.step(np.array([0, 1]))
        kept.save(str(tmp_path / "kept.pkl"))
    archive(tmp_path / "agent.zip", actor())
    policy = load_policy(f"sb3:{tmp_path / 'agent.zip'}(normalisation=kept.pkl)", load_game(CART))
    assert policy.normalised(OBSERVATIONS) == pytest.approx(kept.normalize_obs(OBSERVATIONS), abs=1e-6)


# ---- code, with consent ----------------------------------------------------------------------------------------------

MINE = """
from pathlib import Path
import numpy as np
import torch
Path("imported").touch()

def right(observation):
    return np.ones(len(observation), dtype=int)

class Net(torch.nn.Module):
    def __init__(self, hidden=3):
        super().__init__()
        self.fc = torch.nn.Linear(4, hidden)
        self.out = torch.nn.Linear(hidden, 2)

    def forward(self, x):
        return self.out(torch.relu(self.fc(x)))

few = [1]
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A module of the user's own in the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine_of_test.py").write_text(MINE)
    yield tmp_path
    sys.modules.pop("mine_of_test", None)


SPEC = "python:mine_of_test:right"


def test_callables_are_imported_with_consent_only(mine, monkeypatch):
    game = load_game(CART)
    refusal = r"^python:mine_of_test:right: this runs code: the module 'mine_of_test' is imported .*--trust"
    with pytest.raises(RequestError, match=refusal):
        load_policy(SPEC, game)
    assert not (mine / "imported").exists()
    with trusting(["python:mine_of_test:wrong"]), pytest.raises(RequestError, match="this runs code"):
        load_policy(SPEC, game)
    policy = load_policy(SPEC, game, trust=True)
    assert (mine / "imported").exists()
    assert act(policy).tolist() == [1] * 9
    assert policy.abilities == frozenset()
    with pytest.raises(RequestError, match="this runs code"):  # consent is for one call
        load_policy(SPEC, game)
    monkeypatch.setenv(TRUST, f"file:x; {SPEC}")
    load_policy(SPEC, game)


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("python:mine_of_test:rigth", "'mine_of_test' has no 'rigth'; did you mean 'right'"),
        ("python:mine_of_test:few", "a list, expected something that can be called"),
        ("python:no_such_module_here:f", "importing 'no_such_module_here' fails: ModuleNotFoundError"),
        ("python:mine_of_test", "is no reference, expected package.module:name"),
    ],
)
def test_references_that_lead_nowhere(spec, words, mine):
    with pytest.raises(RequestError, match=words):
        load_policy(spec, load_game(CART), trust=True)


def test_agents_that_ship_are_loaded_by_name():
    pytest.importorskip("mujoco")
    game = load_game("gym:InvertedPendulum-v5(max_episode_steps=50)")
    policy = load_policy("agent:inverted-pendulum", game)
    assert play(game.world(2), policy, [0, 1]).returns.tolist() == [50, 50]
    assert policy.description["provenance"]["trained_by"] == "the project itself"
    for spec, words in (
        ("agent:hoper", r"none of that name ships; did you mean 'hopper'\?"),
        ("agent:../agents/hopper", "none of that name ships"),
        ("agent:hopper", r"takes observations \[11\], gym:Inv.* gives \[4\]; gym:Hopper-v5 would fit"),
    ):
        with pytest.raises(RequestError, match=words):
            load_policy(spec, game)


def test_functions_are_policies_without_a_spec():
    game = load_game(CART)
    policy = game.make_policy(lambda observation: np.zeros(len(observation), dtype=int), None)
    assert play(game.world(2), policy, [0, 1]).lengths.max() < 20
    short = game.make_policy(lambda observation: 0, None)
    with pytest.raises(RequestError, match=r"gave an array of shape \[\] for 2 observations"):
        play(game.world(2), short, [0, 1])
    with pytest.raises(RequestError, match=r"policy-loader python on matrix:.*needs a simulated game"):
        load_policy(SPEC, load_game("matrix:matching-pennies"))


def test_a_module_with_its_state(mine):
    spec = "torch:net.pt(module=mine_of_test:Net,arguments='{\"hidden\": 5}',gives=values)"
    weights = {
        "fc.weight": torch.randn(5, 4),
        "fc.bias": torch.zeros(5),
        "out.weight": torch.randn(2, 5),
        "out.bias": torch.zeros(2),
    }
    torch.save(weights, "net.pt")
    with pytest.raises(RequestError, match="this runs code"):
        load_policy(spec, load_game(CART))
    assert not (mine / "imported").exists()
    policy = load_policy(spec, load_game(CART), trust=True)
    with trusting([spec.replace(",gives=values", "").replace("(", "(gives=values, ")]):  # in another order
        load_policy(spec, load_game(CART))
    x = torch.tensor(OBSERVATIONS, dtype=torch.float32)
    wanted = torch.relu(x @ weights["fc.weight"].T) @ weights["out.weight"].T
    assert policy.action_values(OBSERVATIONS, None) == pytest.approx(wanted.numpy(), abs=1e-5)
    assert act(policy).tolist() == wanted.argmax(1).tolist()
    assert policy.outputs(x, None).shape == (9, 2)
    assert policy.module()(x) == pytest.approx(wanted, abs=1e-5)
    again = pickle.loads(pickle.dumps(policy))
    assert again.to_document()["spec"] == policy.to_document()["spec"]


def test_modules_that_do_not_fit_are_one_line(mine):
    torch.save({"fc.weight": torch.zeros(3, 4)}, "net.pt")
    torch.save(torch.zeros(2), "tensor.pt")
    torch.save(Trap(mine / "mark"), "trap.pt")
    for spec, words in (
        ("torch:net.pt", "tensors alone are no policy; say torch:net.pt"),
        ("torch:net.pt(module=mine_of_test:Net)", "the state does not fit the class"),
        ("torch:net.pt(module=mine_of_test:right)", "calling the class fails: TypeError"),
        ("torch:net.pt(module=mine_of_test:Net,arguments=[1])", "expected a JSON object"),
        ("torch:tensor.pt(module=mine_of_test:Net)", "not a state dict, that is tensors by name"),
        ("torch:trap.pt(module=mine_of_test:Net)", "not a state dict that loads without running code"),
        ("torch:none.pt(module=mine_of_test:Net)", "none.pt: No such file"),
        ("torch:net.pt(modul=a:b)", "there is no option 'modul'; did you mean 'module'"),
    ):
        with pytest.raises(RequestError, match=words):
            load_policy(spec, load_game(CART), trust=True)
    assert not (mine / "mark").exists()


def test_consent_is_for_a_spec_however_it_is_spaced(monkeypatch):
    with trusting(["torch:a.pt(gives=values, module=b:c)"]):
        assert trusted("torch:a.pt(module=b:c,gives=values)")
        assert not trusted("torch:a.pt(module=b:d,gives=values)")
    assert not trusted("torch:a.pt(module=b:c,gives=values)")
    monkeypatch.setenv(TRUST, " ; ")
    with pytest.raises(
        RequestError, match=r"^x: this runs code: it; if you trust it, say --trust 'x', SPARRING_TRUST='x'"
    ):
        require_trust("x", "it")


def test_consent_on_the_command_line(mine, capsys):
    spec = "gym:mine_of_test:CartPole-v1"  # the module is imported, so that it can register environments
    told = ["evaluate", spec, "--victim", "uniform", "--threat", "action", "--budget", "0.1"]
    assert run(told) == 2
    assert f"{spec}: this runs code: the module 'mine_of_test' is imported" in capsys.readouterr().err
    assert not (mine / "imported").exists()
    assert run(["--trust", spec, *told]) == 2
    assert "this runs code" not in capsys.readouterr().err
    assert (mine / "imported").exists()
