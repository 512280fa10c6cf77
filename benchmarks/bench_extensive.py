"""Speed on trees: exploitability, CFR+, the exact optimum, beside OpenSpiel and LiteEFG in one process.

    python benchmarks/bench_extensive.py [--out FILE] [--quick]

Times are processor time, the least of many batches, so that whatever else the machine does tells least; what is
compared takes turns. LiteEFG computes both seats in one call; the ratio "one call" takes its call as it is, "a seat"
halves it. An iteration of `cfr+` is that of long runs, which `auto` unrolls on small games; "table" is the other
kernel. The row "limit" compares with a plain C compressed-row product.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from functools import partial
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
from sparring.extensive.unrolled import PAYS_FROM, pays, unrolled

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
REPEATS, ROUNDS = 9, 40


def batch_seconds(call: Call, count: int) -> float:
    """Seconds of so many calls."""
    begin = time.process_time()
    for _ in range(count):
        call()
    return time.process_time() - begin


def batch_of(call: Call, least: float) -> int:
    """How many calls take at least `least` seconds."""
    count, spent = 1, batch_seconds(call, 1)
    while spent < least:
        count = min(count * 8, int(count * least / max(spent, 1e-9)) + 1)
        spent = batch_seconds(call, count)
    return count


def seconds_of(call: Call, least: float = 0.02) -> float:
    """Least seconds of one call, in batches of at least `least` seconds."""
    count = batch_of(call, least)
    return min(batch_seconds(call, count) for _ in range(REPEATS)) / count


def seconds_in_turns(calls: dict[str, Call], least: float = 0.02) -> dict[str, float]:
    """Least seconds of one call of each; they take turns, so that a busy moment is everybody's."""
    counts = {name: batch_of(call, least) for name, call in calls.items()}
    found = dict.fromkeys(calls, float("inf"))
    for _ in range(ROUNDS):
        for name, call in calls.items():
            call()  # its memory is in the caches again
            found[name] = min(found[name], batch_seconds(call, counts[name]) / counts[name])
    return found


def random_behaviour(game: ExtensiveGame, seat: int) -> np.ndarray:
    rng = np.random.default_rng(seat)
    return project(game.trees[seat], rng.normal(0.5, 0.3, game.trees[seat].sequences))


def compare(game: ExtensiveGame) -> Figures:
    """Our seconds and the peers', for one game, victim in seat 0."""
    layout, victim = DuelLayout.build(game, 0), random_behaviour(game, 0)
    engine, limited = Engine(layout), Engine(layout, 0.3, uniform(game.trees[1]))
    many, small = 2000 if layout.entries < 100 else 100, pays(layout, PAYS_FROM)
    runs = {
        "cfr+": RegretMatching(engine, unroll=small),
        "cfr+_table": RegretMatching(engine),
        "pcfr+": RegretMatching(engine, predictive=True, unroll=small),
    }
    figures: Figures = {"skipped": [], "translation_s": seconds_of(lambda: unrolled(engine, False)) if small else None}
    calls: dict[str, Call] = {
        "exploitability": lambda: engine.exploitability(victim),
        "exploitability_budget_0.3": lambda: limited.exploitability(victim),
        **{name: partial(matching.run, many) for name, matching in runs.items()},
    }
    for name, peer in (
        ("OpenSpiel", partial(openspiel_calls, game, 0, victim)),
        ("LiteEFG", partial(liteefg_calls, game)),
    ):
        try:  # an object for each, or iterating would change the policy that is scored
            calls[f"{name} exploitability"], calls[f"{name} cfr+"] = peer()[0], peer()[1]
        except Missing as reason:
            figures["skipped"].append(str(reason))
    found = seconds_in_turns(calls)
    figures |= {f"{name}_s": found[name] / (many if name in runs else 1) for name in calls if " " not in name}
    for name in ("OpenSpiel", "LiteEFG"):
        if f"{name} cfr+" in found:
            figures[name] = {f"{what}_s": found[f"{name} {what}"] for what in ("exploitability", "cfr+")}
    _check_agreement(game, calls)
    figures["ratios"] = dict(_ratios(figures))
    return figures


def _check_agreement(game: ExtensiveGame, calls: dict[str, Call]) -> None:
    peer = calls.get("OpenSpiel exploitability")
    if peer is not None and abs(float(peer()) - float(calls["exploitability"]())) > 1e-9:
        raise AssertionError(f"{game.spec}: OpenSpiel disagrees")


def _ratios(figures: Figures) -> Iterator[tuple[str, float]]:
    for name, peer in ((name, figures[name]) for name in ("OpenSpiel", "LiteEFG") if name in figures):
        ratio = peer["exploitability_s"] / figures["exploitability_s"]
        if name == "LiteEFG":
            yield "exploitability / LiteEFG, one call", ratio
            yield "exploitability / LiteEFG, a seat", ratio / 2
        else:
            yield "exploitability / OpenSpiel", ratio
        yield f"cfr+ / {name}", peer["cfr+_s"] / figures["cfr+_s"]
        yield f"cfr+ table / {name}", peer["cfr+_s"] / figures["cfr+_table_s"]


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
    limited = Engine(layout, 0.3, uniform(game.trees[1]))
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
        "memory_ratio_budget_0.3": (arrays + layout.nbytes + limited.nbytes) / arrays,
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
            begin = time.process_time()
            answer = solve_linear_program(engine)
            spent = time.process_time() - begin
            found.append({"game": spec, "seat": seat, "budget": share, "method": "lp", "seconds": spent,
                          "exploitability": answer.exploitability, "gap": answer.gap})  # fmt: skip
    for seat in (0, 1):
        for predictive in (False, True):
            matching = RegretMatching(Engine(DuelLayout.build(games("leduc_poker"), seat)), predictive)
            begin = time.process_time()
            gap = matching.run(100_000, every=20, target=1e-3)
            spent = time.process_time() - begin
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
    names = ("exploitability_s", "exploitability_budget_0.3_s", "cfr+_s", "cfr+_table_s", "pcfr+_s")
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
