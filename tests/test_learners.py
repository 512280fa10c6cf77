"""Learners come by entry point or from a file, are named in provenance, and are held to their contract by the kit."""

from __future__ import annotations

import hashlib
import json
import shlex

import pytest

from broken_learners import BROKEN_LEARNERS
from sparring.cli import run
from sparring.errors import RequestError
from sparring.plugin_files import read_plugin_file
from sparring.registry import LEARNER, PluginError, Registry, default_registry
from sparring.simulated.learner import learner_of, learners
from sparring.taking_part import note, noted
from sparring.testing import CheckFailure, Verdict, checks, conformance
from sparring.testing.learners import LEARNER_CHECKS
from sparring.testing.probing import Probing

FILE = """
from sparring.testing.probing import Probing


class Search(Probing):
    'Random search.'


sparring_learners = {"search": Search}
"""
GAME = """
from sparring import hookimpl
from sparring.plugin import NoOptions
from sparring.source import GameSource
from sparring.testing.drifting import drift_push
from dataclasses import replace


class Drift(GameSource):
    name, summary = "drift", "numbers that drift"

    def catalogue(self):
        return ("push",)

    def game_options(self, name):
        return NoOptions

    def load(self, name, options):
        return replace(drift_push(), spec="drift:push")


@hookimpl
def sparring_games():
    return [Drift]
"""
SOLVE = "solve drift:push --threat 'observation(space=raw)' --budget 0.1 --iterations 2 --effort 64 --json -"


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in a folder with two plugin files; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "drift.py").write_text(GAME)

    def calling(line):
        code = run(shlex.split(line))
        return code, *capsys.readouterr()

    return calling


def test_the_kits_own_learner_passes_every_check():
    outcomes = {check.name: check.outcome() for check in checks(LEARNER, Probing)}
    assert len(outcomes) == len(LEARNER_CHECKS)
    assert {out.verdict for out in outcomes.values()} == {Verdict.PASSED}


@pytest.mark.skipif("ppo" not in learners(), reason="the learner ppo is not installed")
def test_the_built_in_learner_passes_every_check():
    pytest.importorskip("torch")
    outcomes = {check.name: check.outcome() for check in checks(LEARNER, "ppo")}
    assert {name: out for name, out in outcomes.items() if out.verdict is not Verdict.PASSED} == {}


@pytest.mark.parametrize(("name", "learner"), BROKEN_LEARNERS, ids=[each.__name__ for _, each in BROKEN_LEARNERS])
def test_a_broken_learner_is_caught_by_its_check_and_by_none_before(name, learner):
    for check in checks(LEARNER, learner):
        outcome = check.outcome()
        if outcome.verdict is not Verdict.PASSED:
            break
    assert (check.name, outcome.verdict) == (name, Verdict.FAILED), outcome.message
    with pytest.raises(CheckFailure) as caught:
        check.run()
    assert learner.__name__ in caught.value.place
    assert caught.value.remedy


def test_every_check_of_learners_has_a_broken_one():
    assert {name for name, _ in BROKEN_LEARNERS} == {check.name for check in checks(LEARNER, Probing)}


class Declining(Probing):
    def start(self, observation, action, seed):
        raise RequestError("declining: takes pictures alone")


def test_nothing_is_said_of_a_learner_that_takes_no_world_of_the_kit():
    outcomes = [check.outcome() for check in checks(LEARNER, Declining)]
    assert {outcome.verdict for outcome in outcomes} == {Verdict.SKIPPED}
    assert all("takes none of the spaces" in outcome.message for outcome in outcomes)


def test_an_expected_failure_of_a_learner_is_declared_with_its_reason():
    broken = dict(BROKEN_LEARNERS)["learner-counts-its-steps"]
    told = type("Told", (broken,), {"expected_failures": {"learner-counts-its-steps": "it counts pairs"}})
    (check,) = [check for check in checks(LEARNER, told) if check.name == "learner-counts-its-steps"]
    assert check.outcome().verdict is Verdict.EXPECTED


def test_a_learner_of_a_file_trains_and_is_named_with_its_hash(call, tmp_path):
    files = "--plugin mine.py --plugin drift.py"
    code, out, err = call(f"{files} {SOLVE} --solver 'min-oracle(learner=search)'")
    assert code == 0, err
    plugins = json.loads(out)["provenance"]["plugins"]
    sha = hashlib.sha256((tmp_path / "mine.py").read_bytes()).hexdigest()
    assert {
        "name": "search",
        "kind": "learner",
        "distribution": "mine.py",
        "version": "unpackaged",
        "sha256": sha,
    } in plugins
    assert {"game", "learner", "solver", "threat-model"} <= {record["kind"] for record in plugins}
    assert len({json.dumps(record) for record in plugins}) == len(plugins)
    code, _, err = call(f"--plugin drift.py {SOLVE} --solver 'min-oracle(learner=search)'")
    assert (code, err.count("\n")) == (2, 1)
    assert "unknown learner 'search'" in err


def test_learners_are_listed_told_checked_and_switched_off(call):
    rows = json.loads(call("--plugin mine.py plugins list --json -")[1])
    assert {"kind": "learner", "name": "search", "distribution": "mine.py", "version": "unpackaged"} in rows
    told = call("--plugin mine.py plugins info search")[1]
    assert "Random search." in told
    assert "mine.py" in told
    code, out, _ = call("--plugin mine.py plugins check learner.search")
    assert code == 0, out
    assert "passed: learner search: learner-learns" in out
    rows = json.loads(call("--plugin mine.py --disable learner.search plugins list --json -")[1])
    assert "search" not in [row["name"] for row in rows if row["kind"] == LEARNER]


test_conformance = conformance(LEARNER, Probing)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("sparring_learners = ['search']", "sparring_learners is ['search'], expected a mapping"),
        ("sparring_learners = {'search': lambda: 1}", "is no function or class at the top of it"),
        ("sparring_learners = {}", "it offers no plugin"),
    ],
)
def test_what_is_wrong_with_a_file_is_one_line(tmp_path, text, words):
    path = tmp_path / "learner.py"
    path.write_text(text)
    with pytest.raises(PluginError) as caught:
        read_plugin_file(path)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def registry_of(tmp_path, text):
    path = tmp_path / "learner.py"
    path.write_text(text)
    registry = Registry()
    registry.add_file(path)
    return registry


@pytest.mark.parametrize(
    ("spec", "error", "words"),
    [
        ("search(rat=1)", RequestError, "learner search: there is no option 'rat'; did you mean 'rate'"),
        ("search(rate=-1)", RequestError, "learner search: option rate = -1: Input should be greater than 0"),
        ("plain(rate=1)", RequestError, "learner plain: got an unexpected keyword argument 'rate'"),
        ("serch", RequestError, "unknown learner 'serch': did you mean 'search'"),
        ("useless", PluginError, "learner 'useless' of learner.py unpackaged .*it makes 3, expected a sparring"),
    ],
)
def test_wrong_requests_name_the_learner(tmp_path, spec, error, words):
    text = """
from pydantic import Field
from sparring.plugin import PluginOptions
from sparring.testing.probing import Probing

class Settings(PluginOptions):
    rate: float = Field(1.0, gt=0, description="of steps")

class Search(Probing):
    Options = Settings
    def __init__(self, **options): pass

def plain(): return Probing()
def useless(): return 3

sparring_learners = {"search": Search, "plain": plain, "useless": useless}
"""
    with registry_of(tmp_path, text).in_use(), pytest.raises(error, match=words):
        learner_of(spec, "kit:drift")


def test_two_learners_of_one_name_are_refused_until_one_is_picked(tmp_path):
    registry = registry_of(
        tmp_path, "from sparring.testing.probing import Probing\nsparring_learners = {'ppo': Probing}\n"
    )
    if "ppo" not in default_registry().names(LEARNER):
        pytest.skip("the learner ppo is not installed")
    with registry.in_use():
        with pytest.raises(RequestError, match=r"announced by 2 distributions: say '.*:ppo' or '.*:ppo'"):
            learner_of("ppo", "kit:drift")
        assert isinstance(learner_of("learner.py:ppo", "kit:drift"), Probing)


def test_what_takes_part_is_noted_by_everyone_who_listens():
    note("learner", "nobody:listens")
    with noted() as outer:
        with noted() as inner:
            note("learner", "one")
        note("oracle", "two")
    assert inner == {("learner", "one")}
    assert outer == {("learner", "one"), ("oracle", "two")}
