"""A plugin package laid out as pip would have installed it: its modules and a dist-info, in a folder on sys.path."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

__all__ = ["lay_out", "run_own_tests"]


def lay_out(package: Path, folder: Path) -> None:
    """Copy the modules of `package` (its `src`) into `folder` and announce its entry points there."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    shutil.copytree(package / "src", folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    info = folder / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    about = f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    (info / "METADATA").write_text(about, encoding="utf-8")
    points = "".join(f"{name} = {module}\n" for name, module in project["entry-points"]["sparring"].items())
    (info / "entry_points.txt").write_text(f"[sparring]\n{points}", encoding="utf-8")
    files = sorted(path.relative_to(package / "src") for path in (package / "src").rglob("*.py"))
    (info / "RECORD").write_text("".join(f"{file.as_posix()},,\n" for file in files), encoding="utf-8")


def run_own_tests(package: Path, folder: Path) -> str:
    """Run the tests of `package` in a process of its own that sees `folder`, and return what it said.

    They leave nothing in the package.

    Raises:
        AssertionError: they do not pass.
    """
    kept = {"PYTHONDONTWRITEBYTECODE": "1", "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / ".hypothesis")}
    paths = os.pathsep.join([str(folder), *filter(None, [os.environ.get("PYTHONPATH")])])
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(package)],
        cwd=package,
        env={**os.environ, **kept, "PYTHONPATH": paths},
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return done.stdout
