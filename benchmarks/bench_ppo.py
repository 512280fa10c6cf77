"""Training speed of the project's PPO beside stable-baselines3's: Hopper, four environments, the same settings.

Both collect 2048 steps (512 in each environment), go through them 10 times in minibatches of 64, with two networks of
64 and 64 tanh neurons, on one torch thread, without normalisation, which stable-baselines3 has in a wrapper. Rounds
alternate in one process, so that a busy moment of the machine falls on both alike; seconds of the processor are
recorded beside those of the clock.

    python benchmarks/bench_ppo.py --out docs/results/ppo.json
"""

from __future__ import annotations

import argparse
import importlib.util
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from _recording import record

NEEDED = {"torch": "torch", "gymnasium": "gymnasium", "mujoco": "mujoco", "stable_baselines3": "stable-baselines3"}
SAME = {"learning_rate": 3e-4, "batch": 64, "epochs": 10, "clip": 0.2, "gradient_limit": 0.5}
Update = Callable[[], Any]


def ours(spec: str, environments: int, rollout: int, normalise: bool) -> Update:
    """One update of the project's PPO."""
    from sparring import load_game
    from sparring_plugins.learners.ppo import Ppo
    from sparring_plugins.learners.settings import PpoSettings

    game: Any = load_game(spec)
    world = game.world(environments)
    learner = Ppo(PpoSettings(rollout=rollout, normalise_observations=normalise, normalise_rewards=normalise, **SAME))
    state = learner.start(game.observation, game.action, 0)

    def update() -> None:
        nonlocal state
        state, _ = learner.update(state, world)

    return update


def theirs(spec: str, environments: int, rollout: int, normalise: bool) -> Update:
    """One update of stable-baselines3's PPO."""
    from stable_baselines3 import PPO
    from stable_baselines3.common.env_util import make_vec_env
    from stable_baselines3.common.vec_env import VecNormalize

    worlds: Any = make_vec_env(spec.partition(":")[2], environments, seed=0)
    model = PPO(
        "MlpPolicy", VecNormalize(worlds) if normalise else worlds, n_steps=rollout // environments, device="cpu",
        seed=0, learning_rate=SAME["learning_rate"], batch_size=SAME["batch"], n_epochs=SAME["epochs"],
        clip_range=SAME["clip"], max_grad_norm=SAME["gradient_limit"],
    )  # fmt: skip
    return lambda: model.learn(rollout, reset_num_timesteps=False)


def measured(updates: dict[str, Update], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the clock and of the processor of every round; the first round is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in updates}
    for number in range(rounds + 1):
        for name, update in updates.items():
            clock, processor = time.perf_counter(), time.process_time()
            update()
            if number > 0:
                found[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return found


def figures(taken: dict[str, list[tuple[float, float]]], rollout: int) -> dict[str, Any]:
    """Steps a second of each, by the median round, and how many times as many ours are."""
    told: dict[str, Any] = {}
    for place, kind in enumerate(("clock", "processor")):
        medians = {name: statistics.median(each[place] for each in rounds) for name, rounds in taken.items()}
        pairs = zip(taken["stable-baselines3"], taken["sparring"], strict=True)
        ratios = sorted(their[place] / our[place] for their, our in pairs)
        told[kind] = {
            "steps_a_second": {name: rollout / median for name, median in medians.items()},
            "ratio": medians["stable-baselines3"] / medians["sparring"],
            "ratio_of_rounds": {"least": ratios[0], "median": statistics.median(ratios), "greatest": ratios[-1]},
        }
    return told


def main() -> int:
    """Measure, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--game", default="gym:Hopper-v5")
    options.add_argument("--environments", type=int, default=4)
    options.add_argument("--rollout", type=int, default=2048)
    options.add_argument("--rounds", type=int, default=10)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: needs {', '.join(missing)} (pip install {' '.join(missing)})")
        return 0
    import torch

    torch.set_num_threads(1)
    told: dict[str, Any] = {}
    for normalise in (False, True):
        given = (chosen.game, chosen.environments, chosen.rollout, normalise)
        updates = {"stable-baselines3": theirs(*given), "sparring": ours(*given)}
        found = figures(measured(updates, chosen.rounds), chosen.rollout)
        told["normalised" if normalise else "plain"] = found
        for kind, row in found.items():
            speeds = "  ".join(f"{name} {speed:7.0f}" for name, speed in row["steps_a_second"].items())
            print(f"normalise={normalise!s:5}  {kind:9}  steps/s: {speeds}  ratio {row['ratio']:.2f}")
    settings = {"game": chosen.game, "environments": chosen.environments, "rollout": chosen.rollout, **SAME}
    peer = {"stable-baselines3": version("stable-baselines3"), "mujoco": version("mujoco")}
    record(chosen.out, {"settings": settings, "rounds": chosen.rounds, "threads": 1, "peer": peer, **told})
    return 0


if __name__ == "__main__":
    sys.exit(main())
