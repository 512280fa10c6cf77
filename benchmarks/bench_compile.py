"""How long it takes to compile OpenSpiel games, and to read them from the cache.

Times are processor time, the least of the repeats; "first" is the first call, which the repeats leave out.

python benchmarks/bench_compile.py --out docs/results/compile.json
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

from _recording import record
from sparring_games.openspiel import compile_game

GAMES = (
    "kuhn_poker",
    "goofspiel",
    "leduc_poker",
    "liars_dice(numdice=1,dice_sides=5)",
    "liars_dice(numdice=1)",
    "tic_tac_toe",
)


def seconds(spec: str, cache: Path | None) -> tuple[float, int]:
    """Processor seconds of one call, and the histories of the game."""
    began = time.process_time()
    game = compile_game(spec, cache=cache)
    return time.process_time() - began, game.nodes


def main() -> None:
    """Measure, print, record."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--repeats", type=int, default=3, help="of the largest games; smaller ones take up to 300")
    options.add_argument("--out", type=Path)
    chosen = options.parse_args()
    compile_game("kuhn_poker", cache=None)  # OpenSpiel's import is not the compiler's
    rows = []
    for spec in GAMES:
        first, nodes = seconds(spec, None)
        repeats = max(chosen.repeats, min(300, int(1 / first)))
        took = min(seconds(spec, None)[0] for _ in range(repeats))
        with tempfile.TemporaryDirectory() as folder:
            seconds(spec, Path(folder))
            hit = min(seconds(spec, Path(folder))[0] for _ in range(repeats))
        rows.append({"game": spec, "nodes": nodes, "seconds": took, "us_a_node": took / nodes * 1e6, "cached": hit,
                     "first": first, "repeats": repeats})  # fmt: skip
        print(f"{spec:36} {nodes:8} histories  {took:8.4f} s  {took / nodes * 1e6:6.2f} us each  cached {hit:.4f} s")
    record(chosen.out, {"games": rows})


if __name__ == "__main__":
    main()
