"""What makes two-timescale training converge on Kuhn poker: step sizes, their ratio, decay, counterfactual gradients.

python benchmarks/two_timescale.py --out docs/results/two-timescale.json
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import sparring
from _recording import record

SPECS = (
    "two-timescale(victim_rate=0.03,attacker_rate=3)",
    "two-timescale(victim_rate=0.03,attacker_rate=30)",
    "two-timescale(victim_rate=0.03,attacker_rate=300)",
    "two-timescale(victim_rate=0.003,attacker_rate=3)",
    "two-timescale(victim_rate=0.3,attacker_rate=30,decay=sqrt)",
    "two-timescale(victim_rate=0.3,attacker_rate=300,decay=sqrt)",
    "two-timescale(victim_rate=0.03,attacker_rate=3,learner=counterfactual)",
    "min-oracle(rate=0.3)",
)


def main() -> None:
    """Run, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--iterations", type=int, default=20000)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    duel = sparring.attack("kuhn_poker", "partial-control", 1.0)
    best = duel.optimum()
    assert best is not None
    rows = []
    for spec in SPECS:
        tails = []
        for seed in range(chosen.seeds):
            every = max(1, chosen.iterations // 100)
            answer = sparring.solve(
                duel, spec, iterations=chosen.iterations, seed=seed, trace_every=every, optimum=False
            )
            tails.append([row.last - best.exploitability for row in answer.trace[-10:]])
        rows.append({"solver": spec, "median": float(np.median(tails)), "worst": float(np.max(tails))})
        print(f"{spec:72} median gap {rows[-1]['median']:.1e}, worst {rows[-1]['worst']:.1e}")
    record(chosen.out, {"iterations": chosen.iterations, "seeds": chosen.seeds, "last_tenth": rows})


if __name__ == "__main__":
    main()
