"""How long `sparring plugins list` takes with many plugins installed: whole processes, interleaved.

Each plugin is a distribution of its own, with its metadata and entry point in a folder on the path, as
pip leaves them. Their modules end the process when they are imported, so a figure also shows that none is.

    python benchmarks/bench_plugins.py [--plugins 200] [--rounds 10] [--out docs/results/plugins.json]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from _recording import record

COMMAND_LINE = "from sparring.cli import main; main()"
CASES = {
    "python -c pass": ("pass",),
    "sparring plugins list": (COMMAND_LINE, "plugins", "list"),
    "sparring plugins list --json -": (COMMAND_LINE, "plugins", "list", "--json", "-"),
}
KINDS = ("game", "threat-model", "oracle", "solver", "bound-backend", "metric", "policy-loader")


def announce(folder: Path, number: int) -> None:
    """Lay one distribution with one plugin out in `folder`."""
    module, name = f"crowd_{number}", f"crowd-{number}"
    (folder / f"{module}.py").write_text("raise SystemExit(99)\n")
    info = folder / f"{module}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[sparring]\n{KINDS[number % len(KINDS)]}.{name} = {module}\n")
    (info / "RECORD").write_text(f"{module}.py,,\n")


def seconds(arguments: tuple[str, ...], folder: str | None) -> float:
    """Wall-clock time of one process, from start to end; `folder` is added to its path."""
    paths = [os.environ.get("PYTHONPATH"), folder]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in paths if path)}
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", *arguments], env=environment, check=True, capture_output=True)
    taken = time.perf_counter() - start
    expected = folder is not None and "plugins" in arguments
    assert (b"crowd-0" in done.stdout) is expected, done.stdout
    return taken


def measure(folder: str, rounds: int) -> dict[str, list[float]]:
    """Times in seconds by case, without and with the crowd; the first round, which fills caches, is not counted."""
    times: dict[str, list[float]] = {}
    for number in range(rounds + 1):
        for case, arguments in CASES.items():
            for label, place in ((case, None), (f"{case}, crowded", folder)):
                taken = seconds(arguments, place)
                if number > 0:
                    times.setdefault(label, []).append(taken)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description="Time of listing many plugins.")
    parser.add_argument("--plugins", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.plugins):
            announce(Path(folder), number)
        times = measure(folder, options.rounds)
    figures = {
        case: {"median_s": statistics.median(taken), "min_s": min(taken), "max_s": max(taken)}
        for case, taken in times.items()
    }
    print(f"crowded: {options.plugins} plugins more; median of {options.rounds} processes, in seconds")
    for case, row in figures.items():
        print(f"{case:<42}{row['median_s']:>8.3f}   {row['min_s']:.3f} to {row['max_s']:.3f}")
    record(options.out, {"plugins": options.plugins, "rounds": options.rounds, "figures": figures})


if __name__ == "__main__":
    main()
