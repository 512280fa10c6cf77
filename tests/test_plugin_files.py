"""`--plugin FILE` and `--disable NAME`: a single file is tried without packaging, and anything can be switched off."""

from __future__ import annotations

import hashlib
import json
import pickle
import shlex

import pytest

import sparring
from sparring.cli import run
from sparring.errors import RequestError
from sparring.registry import PluginError, Registry, default_registry
from throwaway import ORACLE, install

MINE = ORACLE.format(name="mine", word="a file")
ATTACKED = "evaluate matrix:matching-pennies --victim uniform --threat partial-control --budget 1"


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in an empty folder; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def calling(line):
        code = run(shlex.split(line))
        return code, *capsys.readouterr()

    return calling


@pytest.fixture
def file(tmp_path):
    def writing(text, name="my_oracle.py"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return writing


def test_a_file_works_like_a_distribution(call, file):
    path = file(MINE)
    code, out, _ = call(f"--plugin my_oracle.py {ATTACKED} --oracle mine --json -")
    assert code == 0
    document = json.loads(out)
    assert [attack["oracle"] for attack in document["attacks"]] == ["mine"]
    (record,) = [item for item in document["provenance"]["plugins"] if item["kind"] == "oracle"]
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    assert record == {
        "name": "mine", "kind": "oracle", "distribution": "my_oracle.py", "version": "unpackaged", "sha256": sha,
    }  # fmt: skip
    assert document["provenance"]["command"]
    assert "mine" not in default_registry().names("oracle")
    assert sorted(item.name for item in path.parent.iterdir()) == ["my_oracle.py"]  # no bytecode is left there


def test_it_is_listed_told_and_used_by_solve(call, file):
    file(MINE)
    rows = json.loads(call("--plugin my_oracle.py plugins list --json -")[1])
    assert {"kind": "oracle", "name": "mine", "distribution": "my_oracle.py", "version": "unpackaged"} in rows
    kinds = [row["kind"] for row in rows]
    assert kinds == sorted(kinds, key=["game", "threat-model", "oracle", "solver", "bound-backend", "metric",
                                       "policy-loader", "learner"].index)  # fmt: skip
    told = call("--plugin my_oracle.py plugins info mine")[1]
    assert "my_oracle.py unpackaged" in told
    assert str(file(MINE)) in told.replace("\n", "")
    source = SOLVER.replace("NAME", "mine")
    file(source, "my_solver.py")
    code, out, _ = call(
        "--plugin my_oracle.py --plugin my_solver.py solve matrix:matching-pennies --solver mine "
        "--threat partial-control --budget 1 --iterations 1 --json -"
    )
    assert code == 0
    assert {"solver", "threat-model"} <= {item["kind"] for item in json.loads(out)["provenance"]["plugins"]}


SOLVER = """
from sparring import hookimpl
from sparring.solver import Answer, Solver, TraceRow

class Mine(Solver):
    name = "NAME"
    summary = "stays uniform"

    def solve(self, duel, run):
        victim = duel.game.uniform_policy(duel.victim_player)
        last = duel.exploitability(victim).lower
        return Answer(victim, "last", (TraceRow(1, 1, 0.0, last, None, None, None, None),))

@hookimpl
def sparring_solvers():
    return [Mine]
"""


def test_plugins_that_ask_for_others_find_those_of_files_too(call, file):
    file(SOLVER.replace("NAME", "lazy"), "my_solver.py")
    line = f"--plugin my_solver.py {ATTACKED.replace('--victim uniform', '--victim solved:lazy')} --json -"
    code, out, err = call(line)
    assert code == 0, err
    assert json.loads(out)["victim"]["spec"] == "solved:lazy"


def test_one_file_may_offer_several_kinds(file):
    path = file(MINE + SOLVER.replace("NAME", "mine").replace("class Mine", "class Other").replace("[Mine]", "[Other]"))
    registry = Registry()
    assert [entry.kind for entry in registry.add_file(path)] == ["oracle", "solver"]
    assert registry.add_file(path) == [entry for entry in registry.entries if entry.file == path]
    assert registry.create("solver", "mine").name == registry.create("oracle", "mine").name == "mine"


def test_its_instances_can_be_pickled(file):
    registry = Registry()
    registry.add_file(file(MINE))
    oracle = registry.create("oracle", "mine")
    assert type(pickle.loads(pickle.dumps(oracle))) is type(oracle)


def test_what_the_file_holds_now_is_what_runs(file):
    for summary in ("first", "again", "third"):
        registry = Registry()
        registry.add_file(file(ORACLE.format(name="mine", word=summary)))
        assert registry.create("oracle", "mine").summary == f"an oracle of {summary}"


def test_a_name_that_is_taken_must_be_told_apart(call, file):
    file(ORACLE.format(name="exact", word="a file"))
    code, out, err = call(f"--plugin my_oracle.py {ATTACKED} --oracle exact")
    assert (code, out) == (2, "")
    assert "say 'my_oracle.py:exact' or 'sparring:exact'" in err
    for pick, taken in (("my_oracle.py:exact", "my_oracle.py"), ("sparring:exact", "sparring")):
        document = json.loads(call(f"--plugin my_oracle.py {ATTACKED} --oracle {pick} --json -")[1])
        (record,) = [item for item in document["provenance"]["plugins"] if item["kind"] == "oracle"]
        assert record["distribution"] == taken


def test_two_files_of_one_name_are_refused(file, tmp_path):
    (tmp_path / "other").mkdir()
    registry = Registry()
    registry.add_file(file(MINE))
    with pytest.raises(RequestError, match=r"there is another my_oracle\.py"):
        registry.add_file(file(SOLVER, "other/my_oracle.py"))


FAULTS = [
    ("import there_is_no_such_library\n", "ModuleNotFoundError", "(line 1)"),
    ("x = 1\nraise SystemExit(3)\n", "SystemExit: 3", "(line 2)"),
    ("def broken(:\n", "SyntaxError", "line 1"),
    ("x = 1\n", "offers no plugin", "@hookimpl def sparring_threat_models()"),
    (MINE.replace("sparring_oracles", "sparring_orcales"), "offers no plugin", "did you mean 'sparring_oracles'?"),
    (MINE.replace("@hookimpl\n", ""), "offers no plugin", "put @hookimpl before def sparring_oracles()"),
    (MINE.replace("return [Mine]", "return Mine"), "hook sparring_oracles() returned", "a list of classes"),
    (MINE.replace("return [Mine]", "return [3]"), "hook sparring_oracles() returned", "declare a name"),
    (MINE.replace("return [Mine]", "return 1 / 0"), "hook sparring_oracles() fails", "ZeroDivisionError"),
]


@pytest.mark.parametrize(("text", "what", "remedy"), FAULTS)
def test_a_broken_file_is_one_line_that_names_it(call, file, text, what, remedy):
    path = file(text)
    registry = Registry()
    before = list(registry.entries)
    with pytest.raises(PluginError) as caught:
        registry.add_file(path)
    assert registry.entries == before
    for word in (str(path), what, remedy):
        assert word in str(caught.value)
    code, out, err = call("--plugin my_oracle.py plugins list")
    assert (code, out) == (1, "")
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_broken_class_breaks_only_what_needs_it(call, file):
    file(MINE.replace("def attack", "def atack"))
    assert call(f"--plugin my_oracle.py {ATTACKED}")[0] == 0
    code, _, err = call(f"--plugin my_oracle.py {ATTACKED} --oracle mine")
    assert code == 1
    for word in (
        "my_oracle.py unpackaged",
        "hook sparring_oracles()",
        "Mine does not define attack",
        "repair the file",
    ):
        assert word in err


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--plugin nope.py plugins list", "--plugin nope.py: No such file or directory"),
        ("--plugin folder.py plugins list", "--plugin folder.py: Is a directory"),
        ("--plugin my_oracle.txt plugins list", "expected a Python file"),
        ("plugins list --plugin my_oracle.py", "it goes before the command: sparring --plugin ... plugins ..."),
        ("evaluate --disable exact", "it goes before the command: sparring --disable ... evaluate ..."),
        ("--disable exat plugins list", "--disable 'exat': there is no such plugin; did you mean 'exact'?"),
        (f"--disable exact {ATTACKED}", "unknown oracle 'exact'"),
        ("--disabel exact plugins list", "No such option: --disabel"),
    ],
)
def test_what_cannot_be_is_refused_in_one_line(call, tmp_path, line, words):
    (tmp_path / "folder.py").mkdir()
    code, out, err = call(line)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert words in err


@pytest.mark.parametrize("name", ["mine", "oracle.mine", "acme-attacks:mine", "acme-attacks:oracle.mine"])
def test_disable_switches_off_what_it_names(call, tmp_path, monkeypatch, name):
    monkeypatch.syspath_prepend(tmp_path)
    install(tmp_path, "acme-attacks", {"oracle.mine": "never_imported"}, {"never_imported": "raise SystemExit(9)\n"})
    assert "mine" in Registry().names("oracle")
    listed = {row["name"] for row in json.loads(call(f"--disable {name} --disable random plugins list --json -")[1])}
    assert not listed & {"mine", "random"}
    assert "exact" in listed


def test_disable_adds_to_the_environment(call, monkeypatch):
    monkeypatch.setenv("SPARRING_DISABLE", "random")
    listed = {row["name"] for row in json.loads(call("--disable sgda plugins list --json -")[1])}
    assert not listed & {"random", "sgda"}


def test_a_file_can_be_switched_off_too(call, file):
    file(MINE)
    listed = {row["name"] for row in json.loads(call("--plugin my_oracle.py --disable mine plugins list --json -")[1])}
    assert "mine" not in listed


def test_a_registry_in_use_is_the_default_until_it_is_not(file):
    usual, chosen = default_registry(), Registry()
    chosen.add_file(file(MINE))
    with chosen.in_use() as same:
        assert default_registry() is same is chosen
        duel = sparring.attack("matrix:matching-pennies", "partial-control", 1)
        assert sparring.evaluate(duel, "uniform", ["mine"]).attacks[0].oracle == "mine"
    assert default_registry() is usual
