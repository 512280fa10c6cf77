"""Repeats the published tables on the agents that were published, cell by cell; what is done already is left alone.

    python benchmarks/published_tables.py --out docs/results/published.json

needs the folder of agents (`--agents`, else `victims` in the folder that SPARRING_SHARED names, else in `shared` beside
the checkout). Every attacker meets the episodes that `sparring evaluate --seed 0` would give it. A cell is measured
again only if its agent, its oracle, its seed or its number of episodes has changed. With `--keep FOLDER` the episodes
of the cell at hand are kept as they finish, too; without it they are lost when the command is stopped.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from _published import ATARI, DDPG, DDPG_COLUMNS, PPO
from _published_report import tables
from _recording import machine
from sparring import attack, load_game, load_policy
from sparring.files import write_text
from sparring.given_attacker import oracle_of
from sparring.journal import Journal
from sparring.registry import default_registry
from sparring.streams import stream
from sparring_plugins.networks.reading import made_for

DDPG_ORACLES = dict(zip(DDPG_COLUMNS, (None, "critic", "random", "mad", "critic(network=robust_sarsa)"), strict=True))


@dataclass(frozen=True)
class Cell:
    """One figure of a table: an agent under one attack."""

    agent: str
    column: str
    oracle: str | None
    """None for no attack; `{agents}` stands for the folder of agents."""
    episodes: int

    @property
    def key(self) -> str:
        return f"{self.agent}, {self.column}"


def cells(episodes: int, atari: int) -> Iterator[Cell]:
    """All cells, those of the PPO family first."""
    for agent in PPO:
        yield Cell(agent, "natural", None, episodes)
        yield Cell(agent, "mad", "mad", episodes)
        yield Cell(agent, "released adversary", f"file:{{agents}}/{agent}.attack.safetensors", episodes)
    for agent in ATARI:
        yield Cell(agent, "natural", None, 2 * atari)
        yield Cell(agent, "pgd", "pgd", atari)
    for agent in DDPG:
        for column, oracle in DDPG_ORACLES.items():
            yield Cell(agent, column, oracle, episodes)
    if "robust-sarsa" in default_registry().names("oracle"):
        for agent in PPO:
            yield Cell(agent, "robust sarsa", "robust-sarsa", episodes)


def attack_game(folder: Path, agent: str) -> tuple[Any, Any, str]:
    """The attack game of an agent as its description asks, the agent, and the threat's spec."""
    told = json.loads((folder / f"{agent}.json").read_text())
    spec = made_for(told)
    assert spec is not None
    if spec.startswith("gym:"):
        spec = f"{spec.removesuffix(')')}, masses=legacy)" if spec.endswith(")") else f"{spec}(masses=legacy)"
    game = load_game(spec)
    policy: Any = load_policy(f"file:{folder / agent}.safetensors", game)
    if agent in PPO:
        threat, budget = "observation", told["eps"]
    elif agent in DDPG:
        scale = " ".join(repr(float(size)) for size in policy.tensors["attack_scale"])
        threat, budget = f"observation(space=raw, scale='{scale}')", told["eps"]
    else:
        # The released code draws its actions in tests, too.
        policy, threat, budget = policy.sampled(), "observation(space=raw, clip=true)", 1 / 255
    return attack(game, threat, budget), policy, threat


def measured(folder: Path, cell: Cell, seed: int, journal: Journal | None) -> dict[str, Any]:
    """Play one cell."""
    began = time.perf_counter()
    duel, policy, threat = attack_game(folder, cell.agent)
    attacker, warnings = None, ()
    if cell.oracle is not None:
        oracle = oracle_of(cell.oracle.format(agents=folder), default_registry())
        finding = oracle.attack(duel, policy, effort=None, rng=oracle.chance(seed, cell.oracle))
        attacker, warnings = finding.attacker, finding.warnings
    played = duel.in_batches(cell.episodes)
    played = played if journal is None else played.kept_in(journal)
    found = played.measure(policy, attacker, stream(seed, "score"), cell.episodes)
    return {
        "agent": cell.agent, "column": cell.column, "identity": identity(folder, cell, seed),
        "game": duel.game.spec, "threat": threat, "budget": duel.charged[0].budget.value,
        "mean": float(found), "ci95": list(found.ci95), "median": float(np.median(found.returns)),
        "steps": found.steps, "seconds": round(time.perf_counter() - began, 1), "warnings": list(warnings),
        "returns": list(found.returns),
    }  # fmt: skip


def identity(folder: Path, cell: Cell, seed: int) -> dict[str, Any]:
    """What decides the figures of a cell, besides the versions."""
    files = [f"{cell.agent}.safetensors", f"{cell.agent}.json"]
    files += [f"{cell.agent}.attack.safetensors"] if cell.column == "released adversary" else []
    digest = hashlib.sha256(b"".join((folder / name).read_bytes() for name in files)).hexdigest()
    return {"files": digest, "oracle": cell.oracle, "episodes": cell.episodes, "seed": seed}


def run(folder: Path, out: Path, wanted: list[Cell], seed: int, journal: Journal | None) -> dict[str, Any]:
    """Measure what is missing, and write after every cell."""
    done: dict[str, Any] = json.loads(out.read_text())["cells"] if out.exists() else {}
    for place, cell in enumerate(wanted):
        if done.get(cell.key, {}).get("identity") == identity(folder, cell, seed):
            continue
        done[cell.key] = measured(folder, cell, seed, journal)
        write_text(out, _text(done))
        row = done[cell.key]
        print(f"{place + 1}/{len(wanted)} {cell.key}: {row['mean']:.1f} in {row['seconds']} s", flush=True)
    return done


def _text(done: dict[str, Any]) -> str:
    """The document, one line a cell."""
    head = json.dumps({"command": "python benchmarks/published_tables.py", "machine": machine()})
    rows = ",\n".join(f"  {json.dumps(key)}: {json.dumps(cell)}" for key, cell in done.items())
    return f'{head[:-1]}, "cells": {{\n{rows}\n}}}}\n'


def agents_folder() -> Path:
    """Where the agents lie when nothing is said."""
    shared = os.environ.get("SPARRING_SHARED")
    return (Path(__file__).resolve().parents[2] / "shared" if shared is None else Path(shared)) / "victims"


def main() -> None:
    """Measure what is missing and print the tables."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--agents", type=Path, default=agents_folder(), help="the folder of agents")
    options.add_argument("--only", default="", help="agents whose name holds this")
    options.add_argument("--episodes", type=int, default=30)
    options.add_argument("--atari-episodes", type=int, default=5, help="under attack; twice as many without")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--keep", type=Path, help="a folder that keeps finished episodes")
    options.add_argument("--tables", action="store_true", help="only print the tables of what there is")
    chosen = options.parse_args()
    wanted = [cell for cell in cells(chosen.episodes, chosen.atari_episodes) if chosen.only in cell.agent]
    if chosen.tables:
        done = json.loads(chosen.out.read_text())["cells"]
    else:
        with nullcontext() if chosen.keep is None else Journal(chosen.keep) as journal:
            done = run(chosen.agents, chosen.out, wanted, chosen.seed, journal)
    print(tables(done, json.loads((chosen.agents / "MANIFEST.json").read_text())))


if __name__ == "__main__":
    main()
