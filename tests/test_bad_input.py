"""Agents, radii and worlds that do not fit: one line on standard error, which says what would, and exit code 2."""

from __future__ import annotations

import json
import pickle
import zipfile

import numpy as np
import pytest

import network_files
from sparring.cli import run

pytest.importorskip("torch")
pytest.importorskip("safetensors")
gymnasium = pytest.importorskip("gymnasium")

CART = "gym:CartPole-v1(max_episode_steps=9)"
PENDULUM = "gym:Pendulum-v1(max_episode_steps=9)"
RAW = "observation(space=raw)"
TRUST = ("--trust", "python:nan_victim:act")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Agents in the folder that the command runs in."""
    from sparring_plugins.networks.policy import NetworkPolicy
    from sparring_plugins.networks.portable import write_pair

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    description, tensors = network_files.gaussian(3, 1)
    write_pair(NetworkPolicy(description, tensors), tmp_path / "pendulum")
    write_pair(NetworkPolicy(*network_files.gaussian(27, 8)), tmp_path / "ant27")
    bare = {name: array for name, array in tensors.items() if not name.startswith("obs_")}
    told = {name: value for name, value in description.items() if name != "observation_normalisation"}
    write_pair(NetworkPolicy(told, bare), tmp_path / "bare")
    _write(tmp_path / "silent", told, tensors)
    (tmp_path / "fourth.pt").write_bytes(pickle.dumps(print, protocol=4))
    for name, change in (("lost", {"obs_std": None}), ("nan", {"policy.out.bias": np.full(1, np.nan, np.float32)})):
        _write(tmp_path / name, description, {**tensors, **change})
    (tmp_path / "nan_victim.py").write_text(
        "import numpy as np\ndef act(seen):\n    return np.full((len(seen), 1), np.nan)\n"
    )
    with zipfile.ZipFile(tmp_path / "code.zip", "w") as archive:
        archive.writestr("data", json.dumps({"policy_class": {}, "policy_kwargs": {}}))
        archive.writestr("policy.pth", pickle.dumps(print))
    return tmp_path


def _write(path, description, tensors):
    from safetensors.numpy import save_file

    kept = {name: array for name, array in tensors.items() if array is not None}
    save_file(kept, path.with_suffix(".safetensors"))
    path.with_suffix(".json").write_text(json.dumps(description))


def asked(game, victim, threat=RAW, *more):
    words = ["evaluate", game, "--victim", victim, "--threat", threat, "--budget", "0.1", "--oracle", "random"]
    return [*more, *words, "--episodes", "2", "--json", "out.json"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (asked("gym:Ant-v5", "file:ant27.json"), "[27], gym:Ant-v5 gives [105]; gym:Ant-v4 would fit"),
        (asked(CART, "file:pendulum.json"), "takes observations [3]"),
        (asked(PENDULUM, "file:lost.json"), "normalises observations, and the tensor 'obs_std' is missing"),
        (asked(PENDULUM, "file:silent.json"), "holds 'obs_mean', and its description does not say how it normalises"),
        (asked(PENDULUM, "torch:fourth.pt"), "not a state dict that loads without running code"),
        (asked(PENDULUM, "uniform", "observation(space=raw,scale=170)"), "up to 17 are more than the whole range"),
        (asked(PENDULUM, "file:nan.json"), "tensor 'policy.out.bias' holds NaN or infinity"),
        (asked(PENDULUM, "python:nan_victim:act", RAW, *TRUST), "an action that is not a number"),
        (asked(PENDULUM, "python:nan_victim:act"), "this runs code"),
        (asked(PENDULUM, "uniform", "observation"), "declares no normalisation, and the budget is measured after"),
        (asked(PENDULUM, "file:pendulum.json", "observation(clip=true)"), "say space=raw as well"),
        (asked(PENDULUM, "file:pendulum.json", "observation(space=raw,scale='1 2')"), "scale has 2 numbers"),
        (asked(CART, "sb3:code.zip"), "its policy.pth"),
        (asked("gym:Pendulum-v1(render_mode=human)", "uniform"), "there is no option 'render_mode'; choose from: g,"),
        ([*asked(PENDULUM, "uniform"), "--returns", "rows.xls"], "take .csv or .parquet"),
        ([*asked(PENDULUM, "uniform"), "--returns", "no/rows.csv"], "its folder does not exist"),
        ([*asked(PENDULUM, "uniform"), "--resume", "no/kept"], "its folder does not exist"),
        ([*asked(PENDULUM, "uniform"), "--resume", "bare.json"], "it is a file"),
        ([*asked(PENDULUM, "python:nan_victim:act", RAW, *TRUST), "--resume", "kept"],
         "a Python function cannot be told from another"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_one_line_and_nothing_is_written(folder, capsys, words, says):
    if "Ant" in words[1]:
        pytest.importorskip("mujoco")
    assert run(words) == 2
    out, err = capsys.readouterr()
    assert says in err
    assert (out, err.count("\n")) == ("", 1)
    assert not (folder / "out.json").exists()


def test_a_network_without_normalisation_is_attacked_as_it_is(folder, capsys):
    """It declares that there is none: both spaces are the same, and nothing has to be said."""
    values = []
    for threat in (RAW, "observation"):
        assert run(asked(PENDULUM, "file:bare.json", threat)) == 0
        values.append(json.loads((folder / "out.json").read_text())["attacks"][0]["returns"])
    assert values[0] == pytest.approx(values[1])
    capsys.readouterr()


class Broken(gymnasium.Env):
    observation_space = gymnasium.spaces.Box(-1, 1, (1,), np.float64)
    action_space = gymnasium.spaces.Box(-1, 1, (1,), np.float64)

    def reset(self, *, seed=None, options=None):
        return np.zeros(1), {}

    def step(self, action):
        return np.zeros(1), float("nan"), True, False, {}


def test_a_world_that_gives_nan_is_one_line_that_names_the_episode(monkeypatch, capsys, tmp_path):
    """The fault is the simulator's and not the request's: exit code 1."""
    monkeypatch.chdir(tmp_path)
    spec = gymnasium.envs.registration.EnvSpec("Broken-v0", entry_point=Broken, max_episode_steps=9)
    monkeypatch.setitem(gymnasium.registry, "Broken-v0", spec)
    assert run(asked("gym:Broken-v0", "uniform")) == 1
    err = capsys.readouterr().err
    assert "step 1: a reward is not a number" in err
    assert err.count("\n") == 1


def test_a_form_that_gives_nan_is_one_line(monkeypatch, capsys):
    from sparring.exploitability import Estimate
    from sparring.matrix.attack_game import MatrixAttackGame

    monkeypatch.setattr(MatrixAttackGame, "measure", lambda *_: Estimate(float("nan")))
    words = ["evaluate", "matrix:rock-paper-scissors", "--victim", "uniform", "--threat", "partial-control"]
    assert run([*words, "--budget", "1", "--benign", "uniform"]) == 1
    err = capsys.readouterr().err
    assert "the return is nan, which no game should give" in err
    assert err.count("\n") == 1
