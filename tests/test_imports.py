"""What starts quickly stays quick: importing, helping and listing load no heavy library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = {"torch", "pyspiel", "open_spiel", "numba", "mujoco", "gymnasium", "pettingzoo", "ale_py", "matplotlib"}
COMMAND_LINE = "from sparring.cli import main; main()"


def imported(code: str, *arguments: str, folder: Path) -> set[str]:
    """Every module that a fresh Python imports while it runs `code`, by full name."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", code, *arguments],
        cwd=folder, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip() for line in lines}


def roots(modules: set[str]) -> set[str]:
    return {name.partition(".")[0] for name in modules}


def test_the_probe_sees_imports(tmp_path: Path) -> None:
    assert {"wave", "sparring.budgets"} <= imported("def f():\n import wave, sparring.budgets\nf()", folder=tmp_path)


@pytest.mark.parametrize(
    ("code", "arguments"),
    [
        ("import sparring", ()),
        (COMMAND_LINE, ("--help",)),
        (COMMAND_LINE, ("evaluate", "--help")),
        (COMMAND_LINE, ("plugins", "list", "--json", "-")),
    ],
    ids=["import", "help", "evaluate-help", "plugins-list"],
)
def test_loads_no_heavy_library(code: str, arguments: tuple[str, ...], tmp_path: Path) -> None:
    modules = imported(code, *arguments, folder=tmp_path)
    assert "sparring" in modules
    assert not roots(modules) & HEAVY


def test_listing_plugins_imports_none_of_them(tmp_path: Path) -> None:
    modules = imported(COMMAND_LINE, "plugins", "list", "--json", "-", folder=tmp_path)
    assert not {name for name in modules if name.startswith(("sparring_plugins.", "sparring_games."))}
