"""Figure 5 of Rethinking Adversarial Policies: rock-paper-scissors, exploitability of the x player.

Of the five methods of appendix C only gradient ascent with a min oracle brings its last iterate near 0.

    python benchmarks/figure5.py --out docs/results/figure5.json --plot docs/pictures/figure5.svg
"""

from __future__ import annotations

import argparse
from pathlib import Path

import sparring
from _recording import record
from _traces import draw, print_summary, run, summary

SOLVERS = {
    "SGDA": "sgda(rate=0.1)",
    "AGDA": "agda(rate=0.1)",
    "SIBR": "sibr",
    "AIBR": "aibr",
    "GAMin (min-oracle)": "min-oracle(rate=0.01,decay=none)",
    "two-timescale": "two-timescale(victim_rate=0.001,attacker_rate=0.1)",
}


def main() -> None:
    """Run, print, record, draw."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--iterations", type=int, default=5000)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--out", type=Path)
    options.add_argument("--plot", type=Path)
    chosen = options.parse_args()
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 1.0)
    runs = run(duel, SOLVERS, chosen.iterations, range(chosen.seeds), every=50)
    print_summary(runs)
    record(chosen.out, {"iterations": chosen.iterations, "seeds": chosen.seeds, "summary": summary(runs)})
    if chosen.plot is not None:
        draw(runs, "Rock-paper-scissors, full control", chosen.plot)


if __name__ == "__main__":
    main()
