"""Trains a small agent by the project's PPO and writes it as a portable pair, with how it came to be.

The agents that Sparring ships are made by

    python benchmarks/train_agents.py gym:InvertedPendulum-v5 --steps 60000 --out FOLDER/inverted-pendulum
    python benchmarks/train_agents.py gym:Hopper-v5 --steps 500000 --seed 1 --out FOLDER/hopper
"""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from sparring import load_game
from sparring.simulated import play
from sparring_plugins.learners.logs import CsvLog
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.networks.portable import write_pair

PACKAGES = ("sparring", "torch", "numpy", "gymnasium", "mujoco")
TEST_SEEDS = range(1_000_000, 1_000_030)
"""Training draws its seeds below 2**31, so that one of these may be met, once in many millions."""


def environment(game: Any) -> dict[str, Any]:
    """What the description of a portable pair says of the game."""
    name = game.spec.partition(":")[2]
    facts = {"modern_id": name, "modern_kwargs": {}, "obs_dim": game.observation.shape[0]}
    return {**facts, "act_dim": game.action.shape[0], "max_episode_steps": game.time_limit}


def scored(game: Any, policy: Any) -> dict[str, Any]:
    """Returns of 30 episodes on seeds of their own."""
    returns = play(game.world(10), policy, TEST_SEEDS).returns
    figures = {"mean": returns.mean(), "median": np.median(returns), "least": returns.min(), "greatest": returns.max()}
    told = {name: round(float(value), 2) for name, value in figures.items()}
    return {"episodes": len(TEST_SEEDS), "seeds": [TEST_SEEDS.start, TEST_SEEDS.stop - 1], **told}


def main() -> None:
    """Train, score, write."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("game")
    options.add_argument("--steps", type=int, required=True)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--episodes", type=int, default=4, help="side by side")
    options.add_argument("--out", type=Path, required=True, help="NAME of NAME.safetensors and NAME.json")
    options.add_argument("--checkpoint", type=Path, help="go on from this file where it exists, and keep it")
    options.add_argument("--log", type=Path, help="a CSV file of all updates")
    chosen = options.parse_args()
    if not chosen.out.parent.is_dir():  # better said before the training than after it
        options.error(f"--out {chosen.out}: there is no folder {chosen.out.parent}")
    game: Any = load_game(chosen.game)
    learner = Ppo(PpoSettings(initial_log_std=-0.5))  # actions of these robots end at 1 and 3: less is cut off
    state = learner.start(game.observation, game.action, chosen.seed)
    if chosen.checkpoint is not None and chosen.checkpoint.exists():
        state = learner.load(chosen.checkpoint)
    logs = [] if chosen.log is None else [CsvLog(chosen.log, state)]
    world = game.world(chosen.episodes)
    state = learner.train(state, world, chosen.steps, checkpoint=chosen.checkpoint, logs=logs)
    facts = {"name": chosen.out.name, "training": "PPO", "environment": environment(game)}
    policy = learner.policy(state, facts).greedy()
    command = f"python benchmarks/train_agents.py {chosen.game} --steps {chosen.steps} --seed {chosen.seed}"
    provenance = {
        "trained_by": "the project itself",
        "command": f"{command} --episodes {chosen.episodes} --out {chosen.out.name}",
        "seed": chosen.seed, "steps": state.steps, "settings": learner.settings.model_dump(mode="json"),
        "versions": {name: version(name) for name in PACKAGES}, "python": sys.version.split()[0],
        "return": scored(game, policy),
    }  # fmt: skip
    write_pair(learner.policy(state, {**facts, "provenance": provenance}).greedy(), chosen.out)
    print(provenance["return"])


if __name__ == "__main__":
    main()
