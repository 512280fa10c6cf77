"""What every benchmark records: its figures with machine, versions, seeds and command, as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("sparring", "numpy", "scipy", "numba", "open_spiel", "LiteEFG", "torch", "gymnasium", "mujoco", "ale-py")


def machine() -> dict[str, Any]:
    """The processor, its cores and the versions that figures depend on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return {"processor": _processor(), "cores": os.cpu_count(), "python": platform.python_version(), "versions": found}


def record(path: Path | None, figures: dict[str, Any]) -> None:
    """Write the figures, or nothing where no path is given."""
    if path is None:
        return
    command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
    path.write_text(json.dumps({"command": command, "machine": machine(), **figures}, indent=1) + "\n")
    print(f"wrote {path}")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
