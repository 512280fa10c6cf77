"""How long the first answer takes: importing, helping and listing, each in fresh processes.

Every figure is the median wall-clock time of whole processes, beside that of a Python that does
nothing. Rounds are interleaved, so that a busy moment of the machine falls on all of them alike.

    python benchmarks/bench_startup.py [--rounds 10] [--out startup.json]
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

COMMAND_LINE = "from sparring.cli import main; main()"
CASES = {
    "python -c pass": ("pass",),
    "import sparring": ("import sparring",),
    "sparring --help": (COMMAND_LINE, "--help"),
    "sparring plugins list": (COMMAND_LINE, "plugins", "list"),
}
BASELINE = "python -c pass"
PACKAGES = ("sparring", "numpy", "pydantic", "typer", "pluggy", "rich")


def seconds(arguments: tuple[str, ...], folder: str) -> float:
    """Wall-clock time of one process, from start to end."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", *arguments], cwd=folder, check=True, capture_output=True)
    return time.perf_counter() - start


def measure(rounds: int) -> dict[str, list[float]]:
    """Times of every case in seconds; the first round, which fills the caches, is not counted."""
    times: dict[str, list[float]] = {case: [] for case in CASES}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + 1):
            for case, arguments in CASES.items():
                taken = seconds(arguments, folder)
                if number > 0:
                    times[case].append(taken)
    return times


def summary(times: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, least and greatest time of every case, and its median beyond that of an idle Python."""
    idle = statistics.median(times[BASELINE])
    return {
        case: {
            "median_s": statistics.median(taken),
            "min_s": min(taken),
            "max_s": max(taken),
            "beyond_python_s": statistics.median(taken) - idle,
        }
        for case, taken in times.items()
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Start-up time of Sparring.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    options = parser.parse_args()
    figures = summary(measure(options.rounds))
    print(f"{'median of ' + str(options.rounds):<24}{'seconds':>9}{'beyond python':>15}")
    for case, row in figures.items():
        print(f"{case:<24}{row['median_s']:>9.3f}{row['beyond_python_s']:>15.3f}")
    if options.out is not None:
        machine = {"python": platform.python_version(), "platform": platform.platform()}
        packages = {name: version(name) for name in PACKAGES}
        document = {"rounds": options.rounds, "figures": figures, "machine": machine, "packages": packages}
        options.out.write_text(json.dumps(document, indent=2) + "\n")


if __name__ == "__main__":
    main()
