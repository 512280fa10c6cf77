"""Distributions built from a copy of the checkout, and virtual environments that hold nothing else."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import dataclass
from pathlib import Path

NOT_SOURCE = shutil.ignore_patterns(".*", "__pycache__", "*.egg-info", "build", "dist", "site")
"""What a clone would not hold and a build does not need; hidden folders are caches and the environment."""


@dataclass(frozen=True)
class Distributions:
    """What a release uploads."""

    wheel: Path
    sdist: Path


def build_distributions(checkout: Path, folder: Path) -> Distributions:
    """Build the sdist in `folder`, and the wheel from the sdist; the checkout stays as it is."""
    tree = shutil.copytree(checkout, folder / "tree", ignore=NOT_SOURCE)
    target = folder / "dist"
    run([sys.executable, "-m", "build", "--no-isolation", "--outdir", str(target), str(tree)], folder)
    (wheel,) = target.glob("*.whl")
    (sdist,) = target.glob("*.tar.gz")
    return Distributions(wheel, sdist)


def run(command: list[str], folder: Path) -> str:
    """Run a command in a folder and return its standard output.

    Raises:
        AssertionError: it ended with another code than 0; the message holds all it said.
    """
    done = subprocess.run(
        command, cwd=folder, env=_clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    said = f"{' '.join(command)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    assert done.returncode == 0, said
    return done.stdout


def _clean_environment() -> dict[str, str]:
    """The environment without what would let the checkout, or this environment, shine through."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST_"))}
    return {**kept, "MPLBACKEND": "Agg", "NO_COLOR": "1", "SDL_VIDEODRIVER": "dummy"}


class FreshEnvironment:
    """A virtual environment outside the checkout; commands run in an empty folder beside it.

    It holds no pip of its own: the one that runs the tests installs into it, which saves time.
    """

    def __init__(self, folder: Path) -> None:
        self.root = folder / "environment"
        self.elsewhere = folder / "elsewhere"
        self.elsewhere.mkdir()
        venv.create(self.root, with_pip=False, symlinks=True)
        self.python = self.root / "bin" / "python"

    def install(self, *requirements: str, constraints: Path | None = None) -> None:
        """Install; bytecode is left to the first import, because most of it is never needed."""
        command = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet", "--no-compile"]
        if constraints is not None:
            command += ["--constraint", str(constraints)]
        run([*command, *requirements], self.elsewhere)

    def installed(self) -> set[str]:
        """Names of all distributions, in lower case with hyphens."""
        listed = run([sys.executable, "-m", "pip", "--python", str(self.python), "list", "--format=json"], self.root)
        return {entry["name"].lower().replace("_", "-") for entry in json.loads(listed)}

    def sparring(self, *arguments: str) -> str:
        """Run the installed command line and return what it printed."""
        return run([str(self.root / "bin" / "sparring"), *arguments], self.elsewhere)

    def execute(self, code: str) -> str:
        """Run Python code and return what it printed."""
        return run([str(self.python), "-c", code], self.elsewhere)

    def remove(self) -> None:
        """Delete it: environments with an engine take up to a gigabyte."""
        shutil.rmtree(self.root)
