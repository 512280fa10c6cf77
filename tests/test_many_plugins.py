"""With 200 plugins installed, what does not need them imports none of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from sparring.hookspecs import HOOKS
from throwaway import ORACLE, install

COUNT = 200
RUN = """
import json, sys
from sparring.cli import run
code = run(sys.argv[1:])
print(json.dumps([code, sorted(name for name in sys.modules if name.startswith("crowd_"))]), file=sys.stderr)
"""


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    """200 distributions with one plugin each, of all kinds; importing a module would end the process."""
    folder = tmp_path_factory.mktemp("crowd")
    for number in range(COUNT):
        kind = list(HOOKS)[number % len(HOOKS)]
        module = f"crowd_{number}"
        install(folder, f"crowd-{number}", {f"{kind}.crowd-{number}": module}, {module: "raise SystemExit(99)\n"})
    text = ORACLE.format(name="needed", word="the crowd")
    install(folder, "crowd-needed", {"oracle.needed": "crowd_needed"}, {"crowd_needed": text})
    return folder


def call(folder, *words):
    """Exit code, imported modules of the crowd, and standard output of a command line in a fresh process."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(
        [sys.executable, "-c", RUN, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    code, imported = json.loads(done.stderr.splitlines()[-1])
    return code, imported, done.stdout


@pytest.mark.parametrize("words", [["plugins", "list"], ["plugins", "list", "--json", "-"]])
def test_listing_imports_none(crowd, words):
    code, imported, out = call(crowd, *words)
    assert (code, imported) == (0, [])
    for number in range(COUNT):
        assert f"crowd-{number}" in out


def test_listing_tells_all_of_each(crowd):
    rows = json.loads(call(crowd, "plugins", "list", "--json", "-")[2])
    mine = [row for row in rows if row["distribution"].startswith("crowd-")]
    assert len(mine) == COUNT + 1
    assert {row["kind"] for row in mine} == set(HOOKS)
    assert {row["version"] for row in mine} == {"1.2.3"}


def test_switching_off_imports_none(crowd):
    code, imported, out = call(crowd, "--disable", "crowd-7", "plugins", "list", "--json", "-")
    assert (code, imported) == (0, [])
    assert "crowd-7" not in {row["name"] for row in json.loads(out)}


def test_an_evaluation_imports_only_what_it_names(crowd):
    line = "evaluate matrix:matching-pennies --victim uniform --threat partial-control --budget 1 --json -"
    code, imported, out = call(crowd, *line.split(), "--oracle", "needed")
    assert (code, imported) == (0, ["crowd_needed"])
    assert json.loads(out)["attacks"][0]["oracle"] == "needed"


def test_telling_of_one_imports_only_that(crowd):
    code, imported, out = call(crowd, "plugins", "info", "needed")
    assert (code, imported) == (0, ["crowd_needed"])
    assert "crowd-needed 1.2.3" in out
