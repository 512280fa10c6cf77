"""Speed on trees: exploitability, CFR+, the exact optimum, beside OpenSpiel and LiteEFG in one process.

    python benchmarks/bench_extensive.py [--out FILE] [--quick]

Times are medians of repeated batches. LiteEFG computes both seats in one call; the ratio "one call" takes
its call as it is, "a seat" halves it. The row "limit" compares with a plain C compressed-row product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from _extensive_peers import Call, Missing, liteefg_calls, openspiel_calls
from _recording import record
from _roofline import Roofline
from sparring.extensive.cfr import RegretMatching
from sparring.extensive.engine import Engine, project, uniform
from sparring.extensive.game import ExtensiveGame
from sparring.extensive.layout import DuelLayout
from sparring.extensive.linear_program import solve_linear_program

Figures = dict[str, Any]
COMPARED = ("kuhn_poker", "leduc_poker", "liars_dice(numdice=1,dice_sides=5)")
FITTED = (
    "kuhn_poker",
    "goofspiel(num_cards=4,imp_info=True,points_order=descending)",
    "liars_dice(numdice=1,dice_sides=3)",
    "liars_dice(numdice=1,dice_sides=4)",
    "leduc_poker",
    "liars_dice(numdice=1,dice_sides=5)",
    "liars_dice(numdice=1)",
)
WANTED = {  # the least that is aimed at: Kuhn, Leduc, liar's dice with 5 sides
    "exploitability / OpenSpiel": (40, 2000, 3000),
    "exploitability / LiteEFG, one call": (3, 90, 150),
    "cfr+ / OpenSpiel": (170, 150, 110),
    "cfr+ / LiteEFG": (170, 150, 110),
}
REPEATS = 9


def seconds_of(call: Call, least: float = 0.02) -> float:
    """Median seconds of one call, in batches of at least `least` seconds."""
    count, spent = 1, 0.0
    while spent < least:
        begin = time.perf_counter()
        for _ in range(count):
            call()
        spent = time.perf_counter() - begin
        count = count if spent >= least else min(count * 8, int(count * least / max(spent, 1e-9)) + 1)
    times = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        for _ in range(count):
            call()
        times.append((time.perf_counter() - begin) / count)
    return float(np.median(times))


def random_behaviour(game: ExtensiveGame, seat: int) -> np.ndarray:
    rng = np.random.default_rng(seat)
    return project(game.trees[seat], rng.normal(0.5, 0.3, game.trees[seat].sequences))


def iteration_seconds(engine: Engine, predictive: bool = False) -> float:
    """One iteration, in runs of many as they are used."""
    matching, many = RegretMatching(engine, predictive), 2000 if engine.layout.entries < 100 else 100
    return seconds_of(lambda: matching.run(many)) / many


def compare(game: ExtensiveGame) -> Figures:
    """Our seconds and the peers', for one game, victim in seat 0."""
    layout, victim = DuelLayout.build(game, 0), random_behaviour(game, 0)
    engine = Engine(layout)
    exploitability, limited = engine.exploitability, Engine(layout, 0.3, uniform(game.trees[1]))
    figures: Figures = {
        "exploitability_s": seconds_of(lambda: exploitability(victim)),
        "exploitability_s_budget_0.3": seconds_of(lambda: limited.exploitability(victim)),
        "cfr+_s": iteration_seconds(engine),
        "pcfr+_s": iteration_seconds(engine, predictive=True),
        "skipped": [],
    }
    for name, calls in (
        ("OpenSpiel", lambda: openspiel_calls(game, 0, victim)),
        ("LiteEFG", lambda: liteefg_calls(game)),
    ):
        try:
            respond, iterate = calls()
        except Missing as reason:
            figures["skipped"].append(str(reason))
            continue
        if name == "OpenSpiel" and abs(float(respond()) - exploitability(victim)) > 1e-9:
            raise AssertionError(f"{game.spec}: OpenSpiel disagrees")
        figures[name] = {"exploitability_s": seconds_of(respond), "cfr+_s": seconds_of(iterate)}
    figures["ratios"] = dict(_ratios(figures))
    return figures


def _ratios(figures: Figures) -> Iterator[tuple[str, float]]:
    for name, peer in ((name, figures[name]) for name in ("OpenSpiel", "LiteEFG") if name in figures):
        ratio = peer["exploitability_s"] / figures["exploitability_s"]
        if name == "LiteEFG":
            yield "exploitability / LiteEFG, one call", ratio
            yield "exploitability / LiteEFG, a seat", ratio / 2
        else:
            yield "exploitability / OpenSpiel", ratio
        yield f"cfr+ / {name}", peer["cfr+_s"] / figures["cfr+_s"]


def matrix_of(layout: DuelLayout) -> csr_array:
    game, seat = layout.game, layout.victim_player
    pair = (game.row.astype(np.int64), game.column.astype(np.int64))
    matrix = csr_array(coo_array((game.payoff[seat], pair), shape=tuple(tree.sequences for tree in game.trees)))
    matrix.eliminate_zeros()
    return csr_array(matrix.T) if seat == 0 else matrix


def scale(game: ExtensiveGame, roofline: Roofline) -> Figures:
    """Size, time, memory of one game, and the limit beside it."""
    layout = DuelLayout.build(game, 0)
    engine, victim = Engine(layout), random_behaviour(game, 0)
    product = layout.attacker.tiles
    touched = product.nbytes + 8 * sum(tree.sequences for tree in game.trees) * 3
    arrays = sum(array.nbytes for array in (game.row, game.column, game.payoff))
    arrays += sum(array.nbytes for tree in game.trees for array in (tree.offset, tree.parent, tree.action))
    figures: Figures = {
        "nodes": game.nodes,
        "nonzeros": layout.entries,
        "seconds": seconds_of(lambda: engine.exploitability(victim)),
        "game_bytes": arrays,
        "engine_bytes": layout.nbytes + engine.nbytes,
        "memory_ratio": (arrays + layout.nbytes + engine.nbytes) / arrays,
        "bytes_read": touched,
    }
    if roofline.library is not None:
        figures["c_product_s"] = roofline.product(matrix_of(layout))
        figures["over_c_product"] = figures["seconds"] / figures["c_product_s"]
        figures["scan_s"] = touched / roofline.bandwidth(touched)
        figures["over_scan"] = figures["seconds"] / figures["scan_s"]
    return figures


def fit(games: dict[str, Figures]) -> Figures:
    """Time as `call + each * nonzeros`: the power in a log-log fit without the call, and the slope."""
    count = np.array([entry["nonzeros"] for entry in games.values()], dtype=np.float64)
    spent = np.array([entry["seconds"] for entry in games.values()])
    weights = 1.0 / spent  # relative errors, or the largest game decides alone
    design = np.stack([np.ones_like(count), count], axis=1)
    (call, each), *_ = np.linalg.lstsq(design * weights[:, None], spent * weights, rcond=None)
    larger = count >= 1000
    power = np.polyfit(np.log(count[larger]), np.log(spent[larger] - call), 1)[0]
    worst = float(np.max(np.abs(design @ np.array([call, each]) - spent) / spent))
    return {"call_s": call, "s_a_nonzero": each, "power": power, "worst_relative_error": worst, "games": len(count)}


def optimum(games: Callable[[str], ExtensiveGame], quick: bool) -> list[Figures]:
    """Exact optima by linear programming, and Leduc to a gap of 1e-3 by CFR+."""
    found: list[Figures] = []
    cases = [("leduc_poker", share) for share in (1.0, 0.7, 0.5, 0.3, 0.1)]
    cases += [] if quick else [("liars_dice(numdice=1)", share) for share in (1.0, 0.7, 0.5)]
    for spec, share in cases:
        game = games(spec)
        for seat in (0, 1):
            engine = Engine(DuelLayout.build(game, seat), share, uniform(game.trees[1 - seat]))
            begin = time.perf_counter()
            answer = solve_linear_program(engine)
            spent = time.perf_counter() - begin
            found.append({"game": spec, "seat": seat, "budget": share, "method": "lp", "seconds": spent,
                          "exploitability": answer.exploitability, "gap": answer.gap})  # fmt: skip
    for seat in (0, 1):
        for predictive in (False, True):
            matching = RegretMatching(Engine(DuelLayout.build(games("leduc_poker"), seat)), predictive)
            begin = time.perf_counter()
            gap = matching.run(100_000, every=20, target=1e-3)
            spent = time.perf_counter() - begin
            found.append({"game": "leduc_poker", "seat": seat, "budget": 1.0, "seconds": spent, "gap": gap,
                          "method": "pcfr+" if predictive else "cfr+", "iterations": matching.iterations,
                          "exploitability": matching.upper})  # fmt: skip
    return found


def show(figures: Figures) -> None:
    """Print the tables."""
    for number, (spec, entry) in enumerate(figures["compared"].items()):
        show_compared(number, spec, entry)
    print(f"\n{'game':62s} {'nonzeros':>8s} {'us':>9s} {'memory':>7s} {'/ C product':>11s} {'/ scan':>7s}")
    for spec, entry in figures["scale"].items():
        limit = f"{entry['over_c_product']:11.2f} {entry['over_scan']:7.2f}" if "over_scan" in entry else ""
        print(f"{spec:62s} {entry['nonzeros']:8d} {entry['seconds'] * 1e6:9.3f} {entry['memory_ratio']:6.2f}x {limit}")
    line = figures["fit"]
    print(
        f"fit over {line['games']} games: {line['call_s'] * 1e6:.2f} us + {line['s_a_nonzero'] * 1e9:.3f} ns a non-zero"
    )
    print(f"power {line['power']:.3f}, worst relative error {line['worst_relative_error']:.0%}")
    print(f"limit: {figures['limit']}\n")
    for entry in figures["optimum"]:
        print(
            f"{entry['method']:6s} {entry['game']:22s} seat {entry['seat']} budget {entry['budget']:.1f}: "
            f"{entry['seconds'] * 1e3:9.2f} ms, exploitability {entry['exploitability']:+.6f}, gap {entry['gap']:.1e}"
        )


def show_compared(number: int, spec: str, entry: Figures) -> None:
    """Print one game's times and ratios."""
    names = ("exploitability_s", "exploitability_s_budget_0.3", "cfr+_s", "pcfr+_s")
    print(f"\n{spec}: " + ", ".join(f"{name} {entry[name] * 1e6:.3f} us" for name in names).replace("_s", ""))
    for name in ("OpenSpiel", "LiteEFG"):
        if name in entry:
            peer = entry[name]
            print(f"  {name:10s} {peer['exploitability_s'] * 1e6:12.2f} us, cfr+ {peer['cfr+_s'] * 1e6:12.2f} us")
    for name, ratio in entry["ratios"].items():
        wanted = WANTED[name][number] if name in WANTED else None
        met = "" if wanted is None else f"  wanted {wanted}" + ("" if ratio >= wanted else "  MISSED")
        print(f"  {name:38s} {ratio:10.1f}x{met}")
    for reason in entry["skipped"]:
        print(f"  skipped: {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="leave out the optimum of 6-sided liar's dice")
    options = parser.parse_args()
    from sparring_games.openspiel import compile_game

    compiled: dict[str, ExtensiveGame] = {}

    def games(spec: str) -> ExtensiveGame:
        if spec not in compiled:
            compiled[spec] = compile_game(spec)
        return compiled[spec]

    roofline = Roofline()
    figures: Figures = {"compared": {spec: compare(games(spec)) for spec in COMPARED}}
    figures["scale"] = {spec: scale(games(spec), roofline) for spec in FITTED}
    figures["fit"] = fit(figures["scale"])
    figures["limit"] = (
        f"reading memory at {roofline.bandwidth(1 << 28) / 1e9:.1f} GB/s, second-level cache at "
        f"{roofline.bandwidth(1 << 18) / 1e9:.1f} GB/s"
        if roofline.library is not None
        else f"skipped: {roofline.reason}"
    )
    figures["optimum"] = optimum(games, options.quick)
    show(figures)
    record(options.out, figures)


if __name__ == "__main__":
    main()
