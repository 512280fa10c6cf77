"""Tables 6.6 and 6.7 of the thesis *Provable Robustness* on the released agents: how far an attack can move an action.

    python benchmarks/certificates_table.py --out docs/results/certificates.json

needs the folder of agents, as `published_tables.py` does. Every state of natural rollouts is bounded by IBP and by
CROWN; the tighter of the two counts, as both hold. What is done already is left alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from _recording import machine
from published_tables import agents_folder, attack_game
from sparring import evaluate
from sparring.files import write_text

PPO = tuple(f"{robot}-{kind}" for robot in ("hopper", "walker", "halfcheetah", "ant") for kind in ("ppo", "sappo"))
DDPG_ROBOTS = ("ant", "hopper", "invertedpendulum", "reacher", "walker2d")
DDPG = tuple(f"{robot}-{kind}" for robot in DDPG_ROBOTS for kind in ("ddpg", "saddpg-sgld", "saddpg-convex"))
METHODS = ("ibp", "crown")
PUBLISHED = {
    # table 6.6: l2, l1, l-infinity; table 6.7: KL
    "ant-ddpg": (3.972, 11.087, 1.734), "ant-saddpg-convex": (0.181, 0.454, 0.104),
    "hopper-ddpg": (2.612, 4.345, 1.794), "hopper-saddpg-convex": (0.050, 0.074, 0.041),
    "invertedpendulum-ddpg": (0.992, 0.992, 0.992), "invertedpendulum-saddpg-convex": (0.787, 0.787, 0.787),
    "reacher-ddpg": (1.491, 2.107, 1.073), "reacher-saddpg-convex": (0.202, 0.283, 0.157),
    "walker2d-ddpg": (2.484, 4.923, 1.570), "walker2d-saddpg-convex": (0.169, 0.301, 0.131),
    "hopper-ppo": (32.16,), "hopper-sappo": (0.1232,), "walker-ppo": (31.56,), "walker-sappo": (0.09831,),
}  # fmt: skip
COLUMNS = ("l2", "l1", "linf", "divergence")


def measured(folder: Path, agent: str, episodes: int) -> dict[str, Any]:
    """Facts of both methods, and of each figure the smaller mean."""
    duel, policy, threat = attack_game(folder, agent)
    report = evaluate(duel, policy, oracles=[], bounds=METHODS, episodes=episodes)
    facts = {found["backend"]: found["facts"]["action_change"] for found in report.certificates}
    least = {}
    for column in COLUMNS:
        known = [told[column]["mean"] for told in facts.values() if told.get(column, {}).get("mean") is not None]
        least[column] = min(known) if known else None
    return {"game": duel.game.spec, "threat": threat, "budget": duel.charged[0].budget.value, "episodes": episodes,
            "seed": 0, "facts": facts, "least": least}  # fmt: skip


def table(done: dict[str, Any]) -> str:
    """Markdown, robust agents beside the plain ones."""
    lines = ["| agent | l2 | l1 | l-infinity | KL | published |", "|---|---|---|---|---|---|"]
    for agent, row in done.items():
        figures = [row["least"][column] for column in COLUMNS]
        told = ", ".join(f"{value:g}" for value in PUBLISHED.get(agent, ()))
        texts = ["" if value is None else f"{value:.3g}" for value in figures]
        lines.append(f"| {agent} | {' | '.join(texts)} | {told} |")
    return "\n".join(lines)


def main() -> None:
    """Measure what is missing, write after every agent, print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--out", type=Path, required=True)
    options.add_argument("--agents", type=Path, default=agents_folder(), help="the folder of agents")
    options.add_argument("--episodes", type=int, default=10)
    chosen = options.parse_args()
    done = json.loads(chosen.out.read_text())["agents"] if chosen.out.exists() else {}
    for agent in (*PPO, *DDPG):
        if agent not in done:
            done[agent] = measured(chosen.agents, agent, chosen.episodes)
            document = {"command": "python benchmarks/certificates_table.py", "machine": machine(), "agents": done}
            write_text(chosen.out, json.dumps(document, indent=1) + "\n")
            print(agent, done[agent]["least"], flush=True)
    print(table(done))


if __name__ == "__main__":
    main()
