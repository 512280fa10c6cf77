"""Trains attackers of published agents with `ppo` and `pa-ad`, as strong as the adversaries released with them.

    python benchmarks/train_attackers.py --victims FOLDER --work FOLDER --out docs/results/learned-attacks.json

FOLDER of the victims holds portable pairs NAME.safetensors and NAME.json, with NAME.attack.* for a released adversary.
One agent after another; what was trained is kept in the work folder, and a run that was stopped goes on where it was.
Every attacker is scored by its mean over 30 episodes on seeds that neither training nor selection has met, beside
noise and the released adversary on the same seeds. `--only NAME` takes some of the agents. A training that the time
limit cuts off is scored as it stands, marked as unfinished, and gone on with by the next call.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import sparring
from _recording import machine, record
from sparring.attack_game import Effort
from sparring.registry import default_registry
from sparring.simulated.attackers import RandomAttacker
from sparring.simulated.estimating import estimate_of
from sparring.streams import stream
from sparring_plugins.networks.portable import read_pair
from sparring_plugins.networks.reading import made_for

SEEDS = range(2_000_000, 2_000_030)
"""Training and selection draw theirs below 2**31, so that one of these may be met, once in many millions."""
TARGETS = {
    "hopper-ppo": 640.0, "walker-ppo": 1050.0, "halfcheetah-ppo": -600.0, "ant-ppo": 0.0,
    "hopper-sappo": 1076.0, "walker-sappo": 2908.0, "halfcheetah-sappo": 3028.0, "ant-sappo": 2511.0,
    "hopper-atlalstmsa": 1772.0, "walker-atlalstmsa": 3663.0, "halfcheetah-atlalstmsa": 5058.0,
    "ant-atlalstmsa": 3765.0,
}  # fmt: skip
"""What is to be reached; of those with a defence, what the strongest published attack leaves them."""
LED = " by pa-ad"
COMMON = {"episodes": 16, "rollout": 4096, "batch": 128, "select_episodes": 10}
RECIPES: dict[str, dict[str, Any]] = {
    "halfcheetah-ppo": {**COMMON, "steps": 2_500_000, "learning_rate": 7e-4, "entropy_weight": 0.003},
    "hopper-ppo": {**COMMON, "steps": 600_000, "learning_rate": 3e-4, "starts": 32, "initial_gain": 2.0},
    "walker-ppo": {**COMMON, "steps": 3_000_000, "learning_rate": 5e-4, "starts": 32, "initial_gain": 2.0},
    "ant-ppo": {**COMMON, "steps": 2_500_000, "learning_rate": 7e-4, "entropy_weight": 0.003},
    "hopper-sappo": {**COMMON, "steps": 1_000_000, "learning_rate": 3e-4, "starts": 32, "initial_gain": 2.0},
    **{f"{agent}{LED}": {**COMMON, "steps": 1_000_000, "learning_rate": 3e-4} for agent in TARGETS},
}  # fmt: skip
"""By agent, of `ppo`; those of `pa-ad` are all the same."""


@dataclass(frozen=True)
class Files:
    """What one agent's training keeps."""

    folder: Path
    name: str

    @property
    def agent(self) -> str:
        """Whom it attacks."""
        return self.name.removesuffix(LED)

    @property
    def oracle(self) -> str:
        """What attacks."""
        return "pa-ad" if self.name.endswith(LED) else "ppo"

    def at(self, ending: str) -> Path:
        """The file of that ending."""
        return self.folder / f"{self.name.replace(' ', '-')}.{ending}"

    def spent(self) -> dict[str, float]:
        """Seconds of earlier runs, by the clock and of the processor."""
        path = self.at("seconds.json")
        return json.loads(path.read_text()) if path.exists() else {"clock": 0.0, "processor": 0.0}


def duel_of(folder: Path, name: str) -> tuple[Any, Any]:
    """The attack game that the agent's description names, and the agent."""
    told = read_pair(folder / name).description
    spec = made_for(told)
    assert spec is not None
    head, _, options = spec.partition("(")
    game = sparring.load_game(f"{head}(masses=legacy{',' + options if options else ')'}")
    duel: Any = sparring.attack(game, "observation", told["eps"])
    return duel.in_batches(30), sparring.load_policy(f"file:{folder / name}.safetensors", game)


def trained(files: Files, duel: Any, victim: Any, seed: int, seconds: float) -> Any:
    """The oracle's finding, with its time added to that of earlier runs."""
    kept = {"checkpoint": str(files.at("training")), "save": str(files.at("attack")), "log": str(files.at("csv"))}
    oracle: Any = default_registry().create("oracle", files.oracle).configured({**RECIPES[files.name], **kept})
    before, clock, processor = files.spent(), time.perf_counter(), time.process_time()
    try:
        return oracle.attack(
            duel, victim, effort=Effort(seconds=seconds), rng=stream(seed, "train attackers", files.name)
        )
    finally:
        now = {"clock": time.perf_counter() - clock, "processor": time.process_time() - processor}
        files.at("seconds.json").write_text(json.dumps({name: before[name] + now[name] for name in now}))


def scored(duel: Any, victim: Any, attacker: Any) -> dict[str, Any]:
    """Mean with its interval, and quartiles."""
    episodes = duel.play(victim, attacker, SEEDS)
    found = estimate_of(episodes)
    quartiles = np.quantile(episodes.returns, [0.25, 0.5, 0.75])
    return {
        "mean": round(float(found), 1),
        "ci95": [round(end, 1) for end in found.ci95 or ()],
        "quartiles": [round(float(each), 1) for each in quartiles],
        "mean_length": round(float(episodes.lengths.mean()), 1),
    }


def figures(victims: Path, work: Path, name: str, seed: int, seconds: float) -> dict[str, Any]:
    """Train against one agent and score."""
    files = Files(work, name)
    duel, victim = duel_of(victims, files.agent)
    finding = trained(files, duel, victim, seed, seconds)
    written = json.loads(files.at("attack.json").read_text())
    told = (written if files.oracle == "ppo" else written["director"]["description"])["training"]
    released = victims / f"{files.agent}.attack.safetensors"
    others = {"noise": RandomAttacker("uniform"), "nobody": None}
    if released.exists():
        others["released adversary"] = sparring.load_policy(f"file:{released}", duel.game)
    found = scored(duel, victim, finding.attacker)
    return {
        "game": duel.game.spec, "budget": duel.charged[0].budget.value, "target": TARGETS[files.agent],
        "reached": found["mean"] <= TARGETS[files.agent], "finished": told["steps"] >= RECIPES[name]["steps"],
        files.oracle: found,
        **{who: scored(duel, victim, attacker) for who, attacker in others.items()},
        "settings": told["settings"], "episodes_side_by_side": told["episodes"], "seed": seed, "steps": told["steps"],
        "kept_at": told["kept_at"], "steps_with_selection": finding.steps, "seconds": files.spent(),
        "curve": told["curve"], "warnings": list(finding.warnings), "trained_on": machine(),
    }  # fmt: skip


def main() -> None:
    """Train, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--victims", type=Path, required=True)
    options.add_argument("--work", type=Path, required=True, help="folder of checkpoints, logs and trained adversaries")
    options.add_argument("--only", action="append", choices=sorted(RECIPES))
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seconds", type=float, default=7200, help="of training each agent in this call")
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # so that a stop by either signal keeps what there is
    signal.signal(signal.SIGINT, signal.default_int_handler)
    done: dict[str, Any] = {}
    if chosen.out is not None and chosen.out.exists():
        done = json.loads(chosen.out.read_text())["agents"]
    for name in chosen.only or RECIPES:
        if name not in done or done[name]["steps"] < RECIPES[name]["steps"]:
            done[name] = figures(chosen.victims, chosen.work, name, chosen.seed, chosen.seconds)
            record(chosen.out, {"seeds": [SEEDS.start, SEEDS.stop - 1], "agents": done})
        row = done[name]
        mean = row[Files(chosen.work, name).oracle]["mean"]
        print(f"{name:24} {mean:8.1f}  target {row['target']:7.1f}  after {row['steps']} steps")


if __name__ == "__main__":
    main()
