"""Robust training of deep agents by the solvers that solve rock-paper-scissors, beside training that is not robust.

    python benchmarks/train_victims.py --work FOLDER --out docs/results/robust-training.json

Victim and attacker are each a PPO learner. Every method gets about the same number of simulator steps, those of its
attacker and of measuring included: plain PPO (nobody attacks), one timescale (`sgda`, `agda`), `two-timescale` and
`min-oracle`, which comes again with three times as many. What each hands over, its last iterate, is attacked by `ppo`
attackers trained afresh, and by noise. Rows are written as they are made; a run that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.special import stdtrit

import sparring
from _recording import record
from sparring.attack_game import Effort, Side
from sparring.simulated.attackers import RandomAttacker
from sparring.streams import stream

PENDULUM, HOPPER = "gym:InvertedPendulum-v5(max_episode_steps=200)", "gym:Hopper-v5(max_episode_steps=200)"
CASES = {
    "pendulum-action": (PENDULUM, "action", 0.1),
    "pendulum-observation": (PENDULUM, "observation(space=raw)", 0.1),
    "hopper-action": (HOPPER, "action", 0.1),
    "hopper-observation": (HOPPER, "observation(space=raw)", 0.05),
}
STEPS = {PENDULUM: 120_000, HOPPER: 200_000}
"""Simulator steps of each training."""
LEARNER = {PENDULUM: "ppo(rollout=1024,learning_rate=0.001)", HOPPER: "ppo(initial_log_std=-0.5,learning_rate=0.0005)"}
ROLLOUT = {PENDULUM: 1024, HOPPER: 2048}
ANSWER = 2
"""Rollouts of the attacker between two steps of the victim under `min-oracle`."""
SOLVERS = {
    "sgda": "sgda(rate=1,{common})",
    "agda": "agda(rate=1,{common})",
    "two-timescale": "two-timescale(victim_rate=0.5,attacker_rate=5,{common})",
    "min-oracle": "min-oracle(rate=1,decay=none,{common})",
    "min-oracle-x3": "min-oracle(rate=1,decay=none,{common})",
}
TIMES = {"min-oracle-x3": 3}
"""Those with more simulator steps: so many give its victim as many updates as plain training makes."""
METHODS = ("plain", *SOLVERS)
CHOSEN = "initial_gain=2,select_episodes=8"
JUDGES = {
    PENDULUM: f"ppo(steps=20000,rollout=1024,learning_rate=0.002,starts=8,select_every=5000,{CHOSEN})",
    HOPPER: f"ppo(steps=100000,learning_rate=0.0005,starts=16,select_every=20000,{CHOSEN})",
}
EPISODES = 20


def plain(game: Any, threat: str, seed: int) -> tuple[Any, int]:
    """The same learner with nobody attacking, and the simulator steps it took."""
    alone = sparring.attack(game, threat, 0.0)
    state, spent = alone.start(Side.VICTIM, seed, LEARNER[game.spec]), 0
    while spent < STEPS[game.spec]:
        state, info = alone.step(state, RandomAttacker(), 1.0, stream(seed, "plain", spent))
        spent += info.steps
    return alone.freeze(state), spent


def solved(duel: Any, game: Any, method: str, seed: int, folder: Path) -> tuple[Any, int]:
    """What a solver hands over, and the simulator steps it took; its iterations are as many as the steps pay for."""
    spec = SOLVERS[method].format(common=f"policy=last,learner={LEARNER[game.spec]}")
    rollout = ROLLOUT[game.spec]
    rollouts = 1 + ANSWER if method.startswith("min-oracle") else 2
    answer = sparring.solve(
        duel,
        spec,
        iterations=TIMES.get(method, 1) * STEPS[game.spec] // (rollouts * rollout),
        seed=seed,
        trace_every=10**9,
        effort=Effort(steps=ANSWER * rollout),
        folder=folder,
    )
    if answer.interrupted:
        raise KeyboardInterrupt
    return answer.policy, answer.trace[-1].steps


def row(case: str, method: str, seed: int, work: Path) -> dict[str, Any]:
    """Train one victim, then let fresh attackers have it."""
    spec, threat, budget = CASES[case]
    game = sparring.load_game(spec)
    duel: Any = sparring.attack(game, threat, budget)
    began = time.perf_counter(), time.process_time()
    folder = work / f"{case}-{method}-{seed}"
    victim, steps = plain(game, threat, seed) if method == "plain" else solved(duel, game, method, seed, folder)
    taken = time.perf_counter() - began[0], time.process_time() - began[1]
    oracles = [JUDGES[spec], "random", "random(noise=sign)"]
    report = sparring.evaluate(duel, victim, oracles, episodes=EPISODES, seed=10_000 + seed)
    attacks = dict(zip(("ppo", "noise", "signs"), report.attacks, strict=True))
    assert report.nominal is not None
    return {
        "case": case, "method": method, "seed": seed, "steps": steps, "seconds": round(taken[0], 1),
        "processor_seconds": round(taken[1], 1), "nominal": report.nominal.value,
        "attacked": {name: each.value for name, each in attacks.items()},
        "warnings": {name: each.warnings for name, each in attacks.items() if each.warnings},
        "exploitability": report.exploitability.lower, "by": report.exploitability.method.split("(")[0],
    }  # fmt: skip


def summary(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Means over seeds with 95% intervals (Student's t over seeds)."""
    for case in CASES:
        for method in METHODS:
            some = [each for each in rows if (each["case"], each["method"]) == (case, method)]
            if not some:
                continue
            worst = [min(*each["attacked"].values(), each["nominal"]) for each in some]
            told = {"case": case, "method": method, "seeds": len(some), "steps": some[0]["steps"]}
            told["nominal"] = _mean([each["nominal"] for each in some])
            told["under_the_strongest"] = _mean(worst)
            told["exploitability"] = _mean([each["exploitability"] for each in some])
            yield told


def _mean(values: list[float]) -> dict[str, Any]:
    mean, count = float(np.mean(values)), len(values)
    if count < 2:
        return {"mean": round(mean, 2), "ci95": None}
    half = float(stdtrit(count - 1, 0.975)) * float(np.std(values, ddof=1)) / math.sqrt(count)
    return {"mean": round(mean, 2), "ci95": [round(mean - half, 2), round(mean + half, 2)]}


def main() -> None:
    """Train, attack, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--work", type=Path, required=True, help="folder of the solvers' checkpoints")
    options.add_argument("--case", action="append", choices=sorted(CASES))
    options.add_argument("--method", action="append", choices=METHODS)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--out", type=Path, required=True)
    chosen = options.parse_args()
    chosen.work.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    rows = json.loads(chosen.out.read_text())["rows"] if chosen.out.exists() else []
    done = {(each["case"], each["method"], each["seed"]) for each in rows}
    every = [
        (case, method, seed)
        for seed in range(chosen.seeds)
        for case in chosen.case or CASES
        for method in chosen.method or METHODS
    ]
    for case, method, seed in every:
        if (case, method, seed) in done:
            continue
        rows.append(row(case, method, seed, chosen.work))
        told = rows[-1]
        print(
            f"{case:22} {method:14} seed {seed}  nominal {told['nominal']:7.1f}  attacked {told['attacked']}",
            flush=True,
        )
        settings = {"solvers": SOLVERS, "learner": LEARNER, "judges": JUDGES, "steps": STEPS, "episodes": EPISODES}
        record(chosen.out, {"settings": settings, "summary": list(summary(rows)), "rows": rows})


if __name__ == "__main__":
    main()
