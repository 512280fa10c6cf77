"""The distribution as strangers get it: built, looked into, and installed alone outside the checkout."""

from __future__ import annotations

import json
import re
import tarfile
import tomllib
import zipfile
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path

import pytest

from fresh_environment import Distributions, FreshEnvironment

pytestmark = [pytest.mark.install, pytest.mark.xdist_group("install")]

PACKAGES = {"sparring": "core", "sparring_plugins": "plugins", "sparring_games": "games"}
ENGINES = {"torch", "open-spiel", "mujoco", "gymnasium", "pettingzoo", "ale-py", "matplotlib", "pyarrow"}


@pytest.fixture(scope="module")
def wheel_files(distributions: Distributions) -> dict[str, bytes]:
    with zipfile.ZipFile(distributions.wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def lean(
    distributions: Distributions, checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FreshEnvironment]:
    """An environment with the wheel and what it requires, and nothing else."""
    environment = FreshEnvironment(tmp_path_factory.mktemp("lean"))
    environment.install(str(distributions.wheel), constraints=checkout / "constraints.txt")
    yield environment
    environment.remove()


def test_wheel_holds_every_module_and_nothing_else(wheel_files: dict[str, bytes], checkout: Path) -> None:
    written = {
        path.relative_to(checkout / root).as_posix()
        for package, root in PACKAGES.items()
        for path in (checkout / root / package).rglob("*")
        if path.suffix == ".py" or path.name == "py.typed" or path.parent.name == "agents"
    }
    assert written == {name for name in wheel_files if ".dist-info/" not in name}
    assert {f"{package}/py.typed" for package in PACKAGES} <= written


def test_wheel_carries_licence_and_entry_points(wheel_files: dict[str, bytes], checkout: Path) -> None:
    (licence,) = [name for name in wheel_files if name.endswith(".dist-info/licenses/LICENSE")]
    assert wheel_files[licence] == (checkout / "LICENSE").read_bytes()
    (announced,) = [wheel_files[name].decode() for name in wheel_files if name.endswith("entry_points.txt")]
    project = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]
    for name, module in project["entry-points"]["sparring"].items():
        assert f"{name} = {module}" in announced
        path = module.replace(".", "/")
        assert {f"{path}.py", f"{path}/__init__.py"} & set(wheel_files), module


def test_extra_all_is_the_union_of_the_others(wheel_files: dict[str, bytes]) -> None:
    (text,) = [wheel_files[name] for name in wheel_files if name.endswith(".dist-info/METADATA")]
    metadata = message_from_bytes(text)
    extras = set(metadata.get_all("Provides-Extra", []))
    engines = {"openspiel", "torch", "mujoco", "atari", "pettingzoo", "plots", "parquet", "search", "ray"}
    assert extras == {*engines, "all"}
    (union,) = [line for line in metadata.get_all("Requires-Dist", []) if line.startswith("sparring[")]
    named = re.fullmatch(r"sparring\[([a-z,]+)\] *; extra == ['\"]all['\"]", union)
    assert named is not None, union
    assert set(named[1].split(",")) == extras - {"all"}


def test_sdist_can_be_built_from_and_holds_no_caches(distributions: Distributions) -> None:
    with tarfile.open(distributions.sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"pyproject.toml", "LICENSE", "README.md", "core/sparring/py.typed"} <= names
    assert not [name for name in names if "__pycache__" in name or name.endswith((".pyc", ".nbi", ".nbc"))]


def test_lean_install_brings_no_engine(lean: FreshEnvironment) -> None:
    installed = lean.installed()
    assert {"sparring", "numpy", "scipy", "numba", "pluggy", "pydantic", "typer", "rich"} <= installed
    assert not installed & ENGINES


def test_lean_install_is_the_wheel_and_not_the_checkout(lean: FreshEnvironment) -> None:
    for package in PACKAGES:
        place = lean.execute(f"import {package}; print({package}.__file__)").strip()
        assert Path(place).is_relative_to(lean.root)


def test_lean_command_line_helps_and_lists(lean: FreshEnvironment, checkout: Path) -> None:
    help_text = lean.sparring("--help")
    for command in ("evaluate", "solve", "compare", "plugins"):
        assert command in help_text
    listed = {f"{row['kind']}.{row['name']}" for row in json.loads(lean.sparring("plugins", "list", "--json", "-"))}
    points = tomllib.loads((checkout / "pyproject.toml").read_text())["project"]["entry-points"]
    assert listed == {*points["sparring"], *(f"learner.{name}" for name in points["sparring.learners"])}
    assert "partial-control" in lean.sparring("plugins", "list")


def test_lean_install_evaluates_a_matrix_game(lean: FreshEnvironment) -> None:
    command = ["evaluate", "matrix:rock-paper-scissors", "--victim", "uniform", "--threat", "partial-control"]
    document = json.loads(lean.sparring(*command, "--budget", "1", "--json", "-"))
    # Against the uniform policy every answer to rock-paper-scissors wins as often as it loses.
    assert document["exploitability"]["lower"] == pytest.approx(0, abs=1e-12)
    assert document["exploitability"]["upper"] == pytest.approx(0, abs=1e-12)
