"""The tabular counterpart of figure 2 of Rethinking Adversarial Policies: Kuhn poker, last iterates.

With a min oracle fastest, two timescales close to it, one timescale oscillates; averages are drawn beside them.

    python benchmarks/figure2.py --out docs/results/figure2.json --plot docs/pictures/figure2.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sparring
from _recording import record
from _traces import draw, print_summary, run, summary

SOLVERS = {
    "min-oracle": "min-oracle(rate=0.3)",
    "min-oracle, counterfactual": "min-oracle(rate=0.3,learner=counterfactual)",
    "two timescales, ratio 100": "two-timescale(victim_rate=0.03,attacker_rate=3,decay=none)",
    "two timescales, counterfactual": "two-timescale(victim_rate=0.03,attacker_rate=3,learner=counterfactual)",
    "one timescale, simultaneous": "sgda(rate=0.3)",
    "one timescale, alternating": "agda(rate=0.3)",
    "self-play": "self-play(rate=0.3)",
    "fictitious play": "fictitious-play",
}


def main() -> None:
    """Run, print, record, draw."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--game", default="kuhn_poker")
    options.add_argument("--budget", type=float, default=1.0)
    options.add_argument("--iterations", type=int, default=10000)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--out", type=Path)
    options.add_argument("--plot", type=Path)
    chosen = options.parse_args()
    benign = "uniform" if chosen.budget < 1 else None
    duel = sparring.attack(chosen.game, "partial-control", chosen.budget, benign=benign)
    runs = run(duel, SOLVERS, chosen.iterations, range(chosen.seeds), every=max(1, chosen.iterations // 100))
    print_summary(runs)
    facts = {"game": chosen.game, "budget": chosen.budget, "iterations": chosen.iterations, "seeds": chosen.seeds}
    record(chosen.out, {**facts, "summary": summary(runs)})
    if chosen.plot is not None:
        draw(runs, f"{chosen.game}, budget {chosen.budget:g}, victim in seat 0", chosen.plot)


if __name__ == "__main__":
    main()
