"""Write constraints.txt from pip's report of a dry run: every package at the version it resolved to."""

from __future__ import annotations

import json
import sys
from pathlib import Path

HEADER = """\
# Every version that the tests run with; written by `make constraints`, used by `make demo` and `make test`.
# torch keeps its pin when this file is written anew: change it by hand.
"""


def main(report: Path, target: Path) -> None:
    """Turn the report into sorted pins; a build's local label, such as +cpu, is left out."""
    chosen = [entry["metadata"] for entry in json.loads(report.read_text())["install"]]
    pins = {item["name"].lower().replace("_", "-"): item["version"].split("+")[0] for item in chosen}
    pins.pop("sparring", None)
    target.write_text(HEADER + "".join(f"{name}=={pins[name]}\n" for name in sorted(pins)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
