"""The whole curve: exploitability against the attack budget, Kuhn and Leduc poker, both seats.

Three victims that know nothing of the budget (uniform, equilibrium, trained by CFR+) against the least exploitability
that any victim has at that budget.

    python benchmarks/budget_curves.py --out docs/results/budget-curves.json --plot docs/pictures/budget-curves.png
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import sparring
from _recording import record
from sparring.errors import RequestError

VICTIMS = ("uniform", "equilibrium", "solved:cfr+(iterations=100)")
GAMES = ("kuhn_poker", "leduc_poker")


def curve(name: str, seat: int, benign: str, budgets: list[float]) -> dict[str, list[float]]:
    """Exploitability of each victim at each budget, and the least."""
    game = sparring.load_game(name)
    policies = {spec: sparring.load_policy(spec, game, seat) for spec in VICTIMS}
    found: dict[str, list[float]] = {spec: [] for spec in [*VICTIMS, "least possible"]}
    for budget in budgets:
        duel = sparring.attack(game, "partial-control", budget, victim_player=seat, benign=benign)
        for spec, policy in policies.items():
            found[spec].append(duel.exploitability(policy).lower)
        best = duel.optimum()
        assert best is not None
        found["least possible"].append(best.exploitability)
    return found


def draw(curves: dict[str, dict[str, list[float]]], budgets: list[float], path: Path) -> None:
    """Four panels."""
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise RequestError("pictures need matplotlib: pip install 'sparring[plots]'") from None
    figure: Any = Figure(figsize=(9, 6.4), layout="constrained")
    FigureCanvasAgg(figure)
    for axes, (title, found) in zip(figure.subplots(2, 2).ravel(), curves.items(), strict=True):
        for spec, values in found.items():
            best = spec == "least possible"
            axes.plot(budgets, values, label=spec, color="black" if best else None, linestyle="--" if best else "-")
        axes.set(title=title, xlabel="attack budget (probability)", ylabel="exploitability")
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    figure.axes[0].legend(fontsize="small")
    figure.savefig(path, dpi=130)
    print(f"wrote {path}")


def main() -> None:
    """Compute, print, record, draw."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--points", type=int, default=21)
    options.add_argument("--benign", default="uniform")
    options.add_argument("--out", type=Path)
    options.add_argument("--plot", type=Path)
    chosen = options.parse_args()
    budgets = np.linspace(0, 1, chosen.points).tolist()
    curves = {
        f"{name}, victim in seat {seat}": curve(name, seat, chosen.benign, budgets) for name in GAMES for seat in (0, 1)
    }
    for title, found in curves.items():
        print(title)
        for spec, values in found.items():
            print(f"  {spec:32}", " ".join(f"{value:8.4f}" for value in values[:: max(1, chosen.points // 5)]))
    record(chosen.out, {"benign": chosen.benign, "budgets": budgets, "curves": curves})
    if chosen.plot is not None:
        draw(curves, budgets, chosen.plot)


if __name__ == "__main__":
    main()
