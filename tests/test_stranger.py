"""Strangers: plugin packages built, installed beside Sparring's wheel, checked, used, and uninstalled again.

Nothing here sees the checkout: what is installed are wheels, and commands run in an empty folder.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from fresh_environment import NOT_SOURCE, Distributions, FreshEnvironment, run

pytestmark = [pytest.mark.install, pytest.mark.xdist_group("install")]

EXAMPLES = {
    "sparring-noisy-channel": {"threat-model.noisy-channel"},
    "sparring-psro": {"solver.psro", "metric.deviation"},
}
EVALUATE = "evaluate markov:sa-toy --victim uniform --threat noisy-channel --budget 0.3 --json -"


@pytest.fixture(scope="module")
def wheels(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheel of each example, built from a copy."""
    folder = tmp_path_factory.mktemp("strangers")
    built = {}
    for name in EXAMPLES:
        tree = shutil.copytree(checkout / "examples" / name, folder / name, ignore=NOT_SOURCE)
        target = folder / "dist" / name
        run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(target), str(tree)], folder)
        (built[name],) = target.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def environment(
    distributions: Distributions, wheels: dict[str, Path], checkout: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[FreshEnvironment]:
    """Sparring's wheel, those of the strangers, and what their tests need."""
    made = FreshEnvironment(tmp_path_factory.mktemp("stranger"))
    needed = [str(distributions.wheel), *map(str, wheels.values()), "pytest", "hypothesis"]
    made.install(*needed, constraints=checkout / "constraints.txt")
    yield made
    made.remove()


def listed(environment: FreshEnvironment) -> dict[str, tuple[str, str]]:
    """Distribution and version of every plugin, by `kind.name`."""
    rows = json.loads(environment.sparring("plugins", "list", "--json", "-"))
    return {f"{row['kind']}.{row['name']}": (row["distribution"], row["version"]) for row in rows}


def test_what_is_installed_is_listed(environment: FreshEnvironment) -> None:
    found = listed(environment)
    assert found["threat-model.noisy-channel"] == ("sparring-noisy-channel", "0.1.0")
    assert found["solver.psro"] == found["metric.deviation"] == ("sparring-psro", "0.2.0")
    told = " ".join(environment.sparring("plugins", "info", "noisy-channel").split())
    for word in ("sparring-noisy-channel 0.1.0", "mixing-probability", "shows", "any, neighbours"):
        assert word in told
    assert str(environment.root) in told  # where the code lies


@pytest.mark.parametrize("name", EXAMPLES)
def test_their_own_tests_pass(environment: FreshEnvironment, checkout: Path, tmp_path: Path, name: str) -> None:
    tests = shutil.copytree(checkout / "examples" / name / "tests", tmp_path / "tests", ignore=NOT_SOURCE)
    said = run([str(environment.python), "-m", "pytest", "-q", "-W", "error", str(tests)], tmp_path)
    assert " passed" in said
    assert "error" not in said


@pytest.mark.parametrize("plugin", sorted(set().union(*EXAMPLES.values())))
def test_they_pass_the_check_of_the_command_line(environment: FreshEnvironment, plugin: str) -> None:
    assert environment.sparring("plugins", "check", plugin)


def test_evaluating_with_a_strangers_threat(environment: FreshEnvironment, wheels: dict[str, Path]) -> None:
    document = json.loads(environment.sparring(*EVALUATE.split()))
    # The uniform policy does not look at what it is shown, so it keeps its 50.
    assert document["exploitability"]["lower"] == pytest.approx(-50, abs=1e-8)
    assert document["exploitability"]["exact"]
    assert document["budget"] == {"kind": "mixing-probability", "value": 0.3, "unit": "probability"}
    plugins = {f"{item['kind']}.{item['name']}": item for item in document["provenance"]["plugins"]}
    stranger = plugins["threat-model.noisy-channel"]
    assert (stranger["distribution"], stranger["version"]) == ("sparring-noisy-channel", "0.1.0")
    assert stranger["sha256"] == hash_of(wheels["sparring-noisy-channel"])
    assert {item["sha256"] for item in document["provenance"]["plugins"]} >= {stranger["sha256"]}
    assert all(len(item["sha256"]) == 64 for item in document["provenance"]["plugins"])  # wheels, all of them


def hash_of(wheel: Path) -> str:
    """The hash that provenance gives a distribution: its files by path, without its metadata."""
    digest = hashlib.sha256()
    with zipfile.ZipFile(wheel) as archive:
        for name in sorted(name for name in archive.namelist() if ".dist-info/" not in name):
            digest.update(name.encode() + b"\0" + archive.read(name))
    return digest.hexdigest()


def test_solving_and_measuring_with_a_strangers_plugins(environment: FreshEnvironment) -> None:
    solve = "solve matrix:rock-paper-scissors --solver psro --threat partial-control --budget 1 --json -"
    solution = json.loads(environment.sparring(*solve.split()))
    assert solution["gap"] == pytest.approx(0, abs=1e-9)
    measure = (
        "evaluate matrix:rock-paper-scissors --victim equilibrium --threat partial-control --budget 0.4 "
        "--benign uniform --metric deviation --json -"
    )
    figures = json.loads(environment.sparring(*measure.split()))["metrics"]["deviation"]["exact"]
    # A pure answer replaces a uniform one in 0.4 of the rounds: 0.4 * (1 - 1/3).
    assert figures["most"] == pytest.approx(0.4 * 2 / 3)


def test_a_scaffolded_package_is_a_wheel_that_works(environment: FreshEnvironment, tmp_path: Path) -> None:
    environment.sparring("plugins", "new", "oracle", "made-here", "--out", str(tmp_path))
    package = tmp_path / "sparring-made-here"
    run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(package)], tmp_path)
    (wheel,) = tmp_path.glob("*.whl")
    environment.install("--no-deps", str(wheel))
    try:
        said = run([str(environment.python), "-m", "pytest", "-q", str(package / "tests")], tmp_path)
        assert " passed" in said
    finally:
        uninstall(environment, "sparring-made-here")


def uninstall(environment: FreshEnvironment, *names: str) -> None:
    command = [sys.executable, "-m", "pip", "--python", str(environment.python), "uninstall", "--quiet", "--yes"]
    run([*command, *names], environment.elsewhere)


def test_uninstalled_they_are_gone(environment: FreshEnvironment, wheels: dict[str, Path]) -> None:
    uninstall(environment, *EXAMPLES)
    try:
        assert {distribution for distribution, _ in listed(environment).values()} == {"sparring"}
        with pytest.raises(AssertionError, match="unknown threat-model 'noisy-channel'"):
            environment.sparring(*EVALUATE.split())
    finally:  # other tests may come after this one
        environment.install("--no-deps", *map(str, wheels.values()))
