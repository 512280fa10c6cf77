"""What an evaluation costs beside the bare simulator and network, and what playing in batches gains.

The bare loop steps Gymnasium's environments without any wrapper and asks a plain torch network, whose outputs are the
same to the last bits, once for all running episodes; where an episode ends the next one takes its place. Beside it
stand `duel.play` without attack and under the random observation attack, on the same seeds. Rounds alternate, so that
a busy moment of the machine falls on all alike; seconds of the processor are recorded beside those of the clock, and
the least rounds, which others disturbed least, beside the median ones. A disturbed robot takes the simulator longer, so
that the bare loop beside the attack takes the actions that were taken under it.
Then episodes under MAD-10, with a batch of environments against one at a time.

    python benchmarks/bench_evaluation.py --out docs/results/evaluation.json
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import statistics
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np

from _recording import record

NEEDED = {"torch": "torch", "gymnasium": "gymnasium", "mujoco": "mujoco"}
AGENT = Path(str(files("sparring_plugins"))) / "agents" / "hopper.safetensors"
LAYERS = ("fc0", "fc1", "out")
PLAYED = {"no attack": "bare", "random": "bare, actions under attack"}
"""What is played, and the bare loop beside it."""
Play = Callable[[list[int]], Any]


class Bare:
    """Environments and a network, and nothing else."""

    def __init__(self, game: Any, agent: Path, batch: int) -> None:
        import torch
        from safetensors.numpy import load_file

        tensors = load_file(agent)
        told = json.loads(agent.with_suffix(".json").read_text())["observation_normalisation"]
        self.worlds = [game.recipe.make().unwrapped for _ in range(batch)]
        self.limit, self.low, self.high = game.time_limit, game.action.low, game.action.high
        self.mean, self.unit, self.clip = tensors["obs_mean"], tensors["obs_std"] + told["epsilon"], told["clip"]
        parts: list[Any] = []
        for name in LAYERS:
            weight, bias = (torch.tensor(tensors[f"policy.{name}.{kind}"]) for kind in ("weight", "bias"))
            linear = torch.nn.Linear(*weight.shape[::-1])
            linear.weight.data, linear.bias.data = weight, bias
            parts += [linear, torch.nn.Tanh()]
        self.network, self.tensor, self.quick = torch.nn.Sequential(*parts[:-1]), torch.from_numpy, torch.inference_mode

    def actions(self, seen: np.ndarray) -> np.ndarray:
        """Clipped means for observations [batch, observation]."""
        behind = np.clip((seen - self.mean) / self.unit, -self.clip, self.clip).astype(np.float32)
        with self.quick():
            means: np.ndarray = self.network(self.tensor(behind)).numpy()
        return np.clip(means, self.low, self.high)

    def play(self, seeds: list[int], sent: list[np.ndarray] | None = None) -> np.ndarray:
        """Returns of one episode for each seed; where one ends the next takes its place.

        With `sent`, [steps, action] for each episode, these actions are taken, and the network is asked all the same.
        """
        size = min(len(self.worlds), len(seeds))
        returns, at, coming = np.zeros(len(seeds)), list(range(size)), size
        seen = np.stack([self.worlds[place].reset(seed=seeds[place])[0] for place in range(size)])
        steps = [0] * size
        while any(episode >= 0 for episode in at):
            actions = self.actions(seen)
            for place, episode in enumerate(at):
                if episode < 0:
                    continue
                action = actions[place] if sent is None else sent[episode][steps[place]]
                seen[place], reward, ended, _, _ = self.worlds[place].step(action)
                returns[episode] += reward
                steps[place] += 1
                if ended or steps[place] == (self.limit if sent is None else len(sent[episode])):
                    at[place] = coming if coming < len(seeds) else -1
                    if at[place] >= 0:
                        seen[place], _ = self.worlds[place].reset(seed=seeds[coming])
                        steps[place], coming = 0, coming + 1
        return returns


def timed(plays: dict[str, Play], seeds: list[int], rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Seconds of the clock and of the processor of every round; a short one before them is not counted."""
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in plays}
    for play in plays.values():
        play(seeds[:2])
    for number in range(rounds):
        names = list(plays)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            clock, processor = time.perf_counter(), time.process_time()
            plays[name](seeds)
            found[name].append((time.perf_counter() - clock, time.process_time() - processor))
    return found


def recorded(duel: Any, victim: Any, attacker: Any, seeds: list[int]) -> list[np.ndarray]:
    """The actions that the world is sent in each episode, [steps, action]."""
    single = duel.in_batches(1)
    world, found = single._own_world(), []
    move = world.step
    for seed in seeds:
        rows: list[np.ndarray] = []

        def spy(actions: Any, active: Any = None, rows: list[np.ndarray] = rows) -> Any:
            rows.append(actions[0].copy())
            return move(actions, active)

        world.step = spy
        single.play(victim, attacker, [seed])
        found.append(np.array(rows))
    return found


def overhead(game: Any, victim: Any, agent: Path, batch: int, seeds: list[int], rounds: int) -> dict[str, Any]:
    """Seconds of bare and played episodes a step, and how much more the latter take."""
    from sparring import attack
    from sparring.simulated.attackers import RandomAttacker

    duel: Any = attack(game, "observation", 0.075).in_batches(batch)
    bare = Bare(game, agent, batch)
    played = duel.play(victim, None, seeds)
    assert np.allclose(bare.play(seeds), played.returns, rtol=1e-9), "the bare loop plays other episodes"
    idle, noise = attack(game, "observation", 0.0), RandomAttacker()
    assert np.array_equal(idle.in_batches(batch).play(victim, noise, seeds).returns, played.returns)
    sent = recorded(duel, victim, noise, seeds)
    plays: dict[str, Play] = {
        "bare": bare.play,
        "bare, actions under attack": lambda given: bare.play(given, sent),
        "no attack": lambda given: duel.play(victim, None, given),
        "random": lambda given: duel.play(victim, noise, given),
    }
    lengths = {
        "bare": played.lengths,
        "bare, actions under attack": np.array([len(each) for each in sent]),
        "no attack": played.lengths,
        "random": duel.play(victim, noise, seeds).lengths,
    }
    taken = timed(plays, seeds, rounds)
    told: dict[str, Any] = {"steps": {name: int(each.sum()) for name, each in lengths.items()}}
    for place, kind in enumerate(("clock", "processor")):
        rates = {name: [float(each[place] / lengths[name].sum() * 1e6) for each in taken[name]] for name in plays}
        least = {name: min(each) for name, each in rates.items()}
        pairs = {
            name: [own / base - 1 for own, base in zip(rates[name], rates[beside], strict=True)]
            for name, beside in PLAYED.items()
        }
        told[kind] = {
            "microseconds_a_step": {name: statistics.median(each) for name, each in rates.items()},
            "least_microseconds_a_step": least,
            "overhead": {name: statistics.median(each) for name, each in pairs.items()},
            "overhead_of_the_least": {name: least[name] / least[beside] - 1 for name, beside in PLAYED.items()},
        }
    return told


def gain(game: Any, victim: Any, batch: int, seeds: list[int], rounds: int) -> dict[str, Any]:
    """Seconds of episodes under MAD-10, side by side and one at a time."""
    from sparring import attack
    from sparring.registry import default_registry

    oracle: Any = default_registry().create("oracle", "mad(steps=10)")
    duel: Any = attack(game, "observation", 0.075)
    attacker = oracle.attacker(duel, victim)
    several, single = duel.in_batches(batch), duel.in_batches(1)
    taken = timed({"several": lambda given: several.play(victim, attacker, given),
                   "single": lambda given: single.play(victim, attacker, given)}, seeds, rounds)  # fmt: skip
    steps = int(several.play(victim, attacker, seeds).lengths.sum())
    told: dict[str, Any] = {"steps": steps}
    for place, kind in enumerate(("clock", "processor")):
        medians = {name: statistics.median(each[place] for each in rows) for name, rows in taken.items()}
        told[kind] = {"seconds": medians, "ratio": medians["single"] / medians["several"]}
    return told


def main() -> int:
    """Measure, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--game", default="gym:Hopper-v5")
    options.add_argument("--agent", type=Path, default=AGENT, help="a portable pair of two hidden tanh layers")
    options.add_argument("--batch", type=int, default=16)
    options.add_argument("--episodes", type=int, default=16)
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--mad-rounds", type=int, default=3)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    missing = [package for module, package in NEEDED.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"skipped: needs {', '.join(missing)} (pip install {' '.join(missing)})")
        return 0
    import torch

    from sparring import load_game, load_policy

    torch.set_num_threads(1)
    game: Any = load_game(chosen.game)
    victim = load_policy(f"file:{chosen.agent}", game)
    seeds, told = list(range(chosen.episodes)), {}
    for batch in (chosen.batch, 1):
        told[f"batch {batch}"] = overhead(game, victim, chosen.agent, batch, seeds, chosen.rounds)
        for kind in ("clock", "processor"):
            row = told[f"batch {batch}"][kind]
            for name in PLAYED:
                over, least = row["overhead"][name], row["overhead_of_the_least"][name]
                print(f"batch {batch:2} {kind:9} {name:9} overhead {over:6.1%}, of the least rounds {least:6.1%}")
    told["mad"] = gain(game, victim, chosen.batch, seeds, chosen.mad_rounds)
    print(f"MAD-10: {told['mad']}")
    settings = {"game": chosen.game, "agent": chosen.agent.name, "episodes": chosen.episodes, "rounds": chosen.rounds}
    engines = {name: version(name) for name in ("gymnasium", "mujoco")}
    record(chosen.out, {"settings": settings, "threads": 1, "engines": engines, **told})
    return 0


if __name__ == "__main__":
    sys.exit(main())
