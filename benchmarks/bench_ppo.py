"""Training speed of the project's PPO beside stable-baselines3's: Hopper, four environments, the same settings.

Both collect 2048 steps (512 in each environment), go through them 10 times in minibatches of 64, with two networks of
64 and 64 tanh neurons, on one torch thread, without normalisation, which stable-baselines3 has in a wrapper. Rounds
alternate in one process, so that a busy moment of the machine falls on both alike; seconds of the processor are
recorded beside those of the clock. With --learn both then train for so many steps with several seeds, and play the
same 20 episodes, drawing no actions.

    python benchmarks/bench_ppo.py --learn 100000 --seeds 5 --out docs/results/ppo.json
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


class Ours:
    """The project's PPO on its own worlds."""

    def __init__(self, spec: str, environments: int, rollout: int, normalise: bool, seed: int = 0) -> None:
        from sparring import load_game
        from sparring_plugins.learners.ppo import Ppo
        from sparring_plugins.learners.settings import PpoSettings

        game: Any = load_game(spec)
        self.world = game.world(environments)
        chosen = {"rollout": rollout, "normalise_observations": normalise, "normalise_rewards": normalise}
        self.learner = Ppo(PpoSettings(**chosen, **SAME))
        self.state = self.learner.start(game.observation, game.action, seed)

    def update(self) -> None:
        """Collect a rollout and learn from it."""
        self.state, _ = self.learner.update(self.state, self.world)

    def policy(self) -> Any:
        """What was learned, without chance."""
        return self.learner.policy(self.state).greedy()


class Theirs:
    """That of stable-baselines3 on its own vectorised environments."""

    def __init__(self, spec: str, environments: int, rollout: int, normalise: bool, seed: int = 0) -> None:
        from stable_baselines3 import PPO
        from stable_baselines3.common.env_util import make_vec_env
        from stable_baselines3.common.vec_env import VecNormalize

        worlds: Any = make_vec_env(spec.partition(":")[2], environments, seed=seed)
        self.rollout = rollout
        self.model = PPO(
            "MlpPolicy", VecNormalize(worlds) if normalise else worlds, n_steps=rollout // environments, device="cpu",
            seed=seed, learning_rate=SAME["learning_rate"], batch_size=SAME["batch"], n_epochs=SAME["epochs"],
            clip_range=SAME["clip"], max_grad_norm=SAME["gradient_limit"],
        )  # fmt: skip

    def update(self) -> None:
        """The same."""
        self.model.learn(self.rollout, reset_num_timesteps=False)

    def policy(self) -> Any:
        """The same; only for observations that are not normalised."""
        from sparring.simulated.callables import CallablePolicy

        return CallablePolicy("stable-baselines3", lambda seen: self.model.predict(seen, deterministic=True)[0])


BOTH = {"stable-baselines3": Theirs, "sparring": Ours}


def learned(spec: str, environments: int, rollout: int, steps: int, seeds: int) -> dict[str, list[float]]:
    """Mean return of 20 episodes after training for so many steps, for each seed."""
    from sparring import load_game
    from sparring.simulated import play

    game: Any = load_game(spec)
    found: dict[str, list[float]] = {name: [] for name in BOTH}
    for seed in range(seeds):
        for name, kind in BOTH.items():
            agent = kind(spec, environments, rollout, False, seed)
            for _ in range(steps // rollout):
                agent.update()
            found[name].append(float(play(game.world(10), agent.policy(), range(10_000, 10_020)).returns.mean()))
            print(f"seed {seed}  {name:18} return {found[name][-1]:8.1f}", flush=True)
    return found


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
    options.add_argument("--learn", type=int, default=0, help="steps of each training; 0 for none")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: needs {', '.join(missing)} (pip install {' '.join(missing)})")
        return 0
    import torch

    torch.set_num_threads(1)
    told: dict[str, Any] = {}
    given = (chosen.game, chosen.environments, chosen.rollout)
    for normalise in (False, True):
        made = {name: kind(*given, normalise) for name, kind in BOTH.items()}
        updates: dict[str, Update] = {name: agent.update for name, agent in made.items()}
        found = figures(measured(updates, chosen.rounds), chosen.rollout)
        told["normalised" if normalise else "plain"] = found
        for kind, row in found.items():
            speeds = "  ".join(f"{name} {speed:7.0f}" for name, speed in row["steps_a_second"].items())
            print(f"normalise={normalise!s:5}  {kind:9}  steps/s: {speeds}  ratio {row['ratio']:.2f}")
    if chosen.learn > 0:
        told["returns"] = {"steps": chosen.learn, **learned(*given, chosen.learn, chosen.seeds)}
    settings = {"game": chosen.game, "environments": chosen.environments, "rollout": chosen.rollout, **SAME}
    peer = {"stable-baselines3": version("stable-baselines3"), "mujoco": version("mujoco")}
    record(chosen.out, {"settings": settings, "rounds": chosen.rounds, "threads": 1, "peer": peer, **told})
    return 0


if __name__ == "__main__":
    sys.exit(main())
