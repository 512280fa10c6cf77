"""Each extra, installed alone into a fresh environment, brings its engine and only its own.

One after another (the xdist group keeps them on one worker), each deleted before the next: with an
engine an environment takes up to a gigabyte.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from fresh_environment import Distributions, FreshEnvironment

pytestmark = [pytest.mark.install, pytest.mark.xdist_group("install")]

OPENSPIEL = """
import pyspiel
game = pyspiel.load_game("kuhn_poker")
print(game.num_players())
"""

TORCH = """
import torch
from safetensors.torch import load, save
layer = torch.nn.Linear(3, 2)
again = torch.nn.Linear(3, 2)
again.load_state_dict(load(save(layer.state_dict())))
x = torch.ones(4, 3, requires_grad=True)
again(x).sum().backward()
assert torch.equal(x.grad[0], layer.weight.sum(0)), (x.grad, layer.weight)
"""

MUJOCO = """
import gymnasium
env = gymnasium.make("Hopper-v5")
observation, _ = env.reset(seed=0)
assert observation.shape == (11,), observation.shape
for _ in range(3):
    observation, reward, *_ = env.step(env.action_space.sample())
env.close()
"""

ATARI = """
import ale_py, gymnasium
gymnasium.register_envs(ale_py)
env = gymnasium.make("ALE/Freeway-v5")
observation, _ = env.reset(seed=0)
assert observation.shape == (210, 160, 3), observation.shape
env.step(env.action_space.sample())
env.close()
"""

PETTINGZOO = """
from gymnasium.spaces import Discrete
from pettingzoo import ParallelEnv
from pettingzoo.test import parallel_api_test

class Pennies(ParallelEnv):
    metadata = {"name": "pennies"}
    possible_agents = ["even", "odd"]
    render_mode = None
    spaces = {agent: Discrete(2) for agent in possible_agents}

    def observation_space(self, agent):
        return self.spaces[agent]

    action_space = observation_space

    def reset(self, seed=None, options=None):
        self.agents = list(self.possible_agents)
        return dict.fromkeys(self.agents, 0), {agent: {} for agent in self.agents}

    def step(self, actions):
        agents, self.agents = self.agents, []
        gain = 1 if actions["even"] == actions["odd"] else -1
        over, not_cut = dict.fromkeys(agents, True), dict.fromkeys(agents, False)
        return actions, {"even": gain, "odd": -gain}, over, not_cut, {agent: {} for agent in agents}

parallel_api_test(Pennies(), num_cycles=20)
"""

PLOTS = """
import matplotlib.pyplot as plt
figure, axes = plt.subplots()
axes.plot([0, 1], [0, 1])
figure.savefig("line.png")
assert open("line.png", "rb").read(8) == b"\\x89PNG\\r\\n\\x1a\\n"
"""

PARQUET = """
import pyarrow, pyarrow.parquet
pyarrow.parquet.write_table(pyarrow.table({"seed": [1, 2]}), "rows.parquet")
assert pyarrow.parquet.read_table("rows.parquet").column("seed").to_pylist() == [1, 2]
"""

SEARCH = """
import optuna
optuna.logging.set_verbosity(optuna.logging.WARNING)
study = optuna.create_study()
study.optimize(lambda trial: trial.suggest_float("x", -1, 1) ** 2, n_trials=3)
assert len(study.trials) == 3
"""

RAY = """
import ray
ray.init(num_cpus=1, include_dashboard=False)
assert ray.get(ray.remote(lambda: 6 * 7).remote()) == 42
ray.shutdown()
"""

ENGINES = {
    "openspiel": (OPENSPIEL, {"open-spiel"}),
    "torch": (TORCH, {"torch", "safetensors"}),
    "mujoco": (MUJOCO, {"mujoco", "gymnasium"}),
    "atari": (ATARI, {"ale-py", "gymnasium"}),
    "pettingzoo": (PETTINGZOO, {"pettingzoo", "gymnasium"}),
    "plots": (PLOTS, {"matplotlib"}),
    "parquet": (PARQUET, {"pyarrow"}),
    "search": (SEARCH, {"optuna"}),
    "ray": (RAY, {"optuna", "ray"}),
}
ALL_ENGINES = set().union(*(brought for _, brought in ENGINES.values()))


@pytest.mark.parametrize("extra", ENGINES)
def test_extra_alone(extra: str, distributions: Distributions, checkout: Path, tmp_path: Path) -> None:
    code, brought = ENGINES[extra]
    environment = FreshEnvironment(tmp_path)
    try:
        environment.install(f"{distributions.wheel}[{extra}]", constraints=checkout / "constraints.txt")
        assert environment.installed() & ALL_ENGINES == brought
        environment.execute(code)
        if extra == "openspiel":
            check_kuhn(environment)
    finally:
        environment.remove()


def check_kuhn(environment: FreshEnvironment) -> None:
    """The uniform policy of Kuhn poker loses 5/12 to the best response in the second seat."""
    command = ["evaluate", "kuhn_poker", "--victim", "uniform", "--victim-player", "0", "--threat", "partial-control"]
    document = json.loads(environment.sparring(*command, "--budget", "1", "--json", "-"))
    assert document["exploitability"]["lower"] == pytest.approx(5 / 12, abs=1e-12)
    assert document["exploitability"]["upper"] == pytest.approx(5 / 12, abs=1e-12)
