"""Runs solvers over seeds and draws their victims: solid the last iterate, dashed the averaged one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

import sparring
from sparring.attack_game import AttackGame
from sparring.pictures import new_figure, save_figure

Runs = dict[str, dict[str, Any]]


def run(duel: AttackGame, solvers: Mapping[str, str], iterations: int, seeds: Sequence[int], every: int) -> Runs:
    """Solve with every solver from every seed.

    Returns:
        By label: the spec, the iterations of the rows, and `last` and `averaged` gaps, [seeds][rows].
    """
    best = duel.optimum()
    assert best is not None
    runs: Runs = {}
    for label, spec in solvers.items():
        answers = [
            sparring.solve(duel, spec, iterations=iterations, seed=seed, trace_every=every, optimum=False)
            for seed in seeds
        ]
        runs[label] = {
            "solver": spec,
            "iteration": [row.iteration for row in answers[0].trace],
            "last": [[row.last - best.exploitability for row in answer.trace] for answer in answers],
            "averaged": [[(row.averaged or 0.0) - best.exploitability for row in answer.trace] for answer in answers],
            "seconds": [answer.trace[-1].seconds for answer in answers],
        }
    return runs


def summary(runs: Runs) -> list[dict[str, Any]]:
    """Over seeds: median gap of the last iterate and of the average, and the last one's worst in the last tenth."""
    rows = []
    for label, found in runs.items():
        last, averaged = np.array(found["last"]), np.array(found["averaged"])
        tail = last[:, -max(1, last.shape[1] // 10) :]
        rows.append(
            {
                "solver": label,
                "last_median": float(np.median(tail[:, -1])),
                "last_worst_of_tail": float(tail.max()),
                "averaged_median": float(np.median(averaged[:, -1])),
                "seconds_median": float(np.median(found["seconds"])),
            }
        )
    return rows


def print_summary(runs: Runs) -> None:
    """As a table."""
    print(f"{'solver':34} {'last':>10} {'worst of tail':>14} {'averaged':>10} {'seconds':>8}")
    for row in summary(runs):
        figures = f"{row['last_median']:10.2e} {row['last_worst_of_tail']:14.2e} {row['averaged_median']:10.2e}"
        print(f"{row['solver']:34} {figures} {row['seconds_median']:8.2f}")


def draw(runs: Runs, title: str, path: Path) -> None:
    """Median over seeds, with the range of the last iterates shaded."""
    figure, axes = new_figure(8.4, 4.6)
    floor = 1e-6
    for place, (label, found) in enumerate(runs.items()):
        last, averaged = np.maximum(found["last"], floor), np.maximum(found["averaged"], floor)
        color = f"C{place}"
        axes.fill_between(found["iteration"], last.min(axis=0), last.max(axis=0), color=color, alpha=0.12, linewidth=0)
        axes.plot(found["iteration"], np.median(last, axis=0), color=color, label=label)
        axes.plot(found["iteration"], np.median(averaged, axis=0), color=color, linestyle="--", linewidth=1)
    axes.set(title=title, xlabel="iteration", ylabel="gap to the least exploitability", yscale="log")
    axes.legend(
        fontsize="small",
        title="solid: last iterate, dashed: averaged",
        loc="center left",
        bbox_to_anchor=(1, 0.5),
    )
    save_figure(figure, path)
