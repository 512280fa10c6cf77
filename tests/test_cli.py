"""The command line: exit codes, one line for a user's mistake, documents, runs, comparisons."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import sparring
from sparring.cli import run
from sparring.registry import default_registry
from throwaway import ORACLE, install

RPS = "matrix:rock-paper-scissors"
ATTACKED = f"evaluate {RPS} --victim uniform --threat partial-control"


@pytest.fixture
def call(capsys, tmp_path, monkeypatch):
    """Runs a command line in this process, in an empty folder; returns exit code, output and errors."""
    monkeypatch.chdir(tmp_path)

    def calling(line):
        words = shlex.split(line)
        monkeypatch.setattr(sys, "argv", ["sparring", *words])
        code = run(words)
        return code, *capsys.readouterr()

    return calling


def process(*words, **options):
    """The same in a process of its own, which an interrupt reaches even where a shell had it ignored."""
    heard = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)"
    command = [sys.executable, "-c", f"{heard}; from sparring.cli import main; main()", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def refused(found, *words):
    """Exit 2, nothing on standard output, one line on standard error."""
    code, out, err = found
    assert code == 2, err
    assert out == ""
    assert err.count("\n") == 1
    assert err.startswith("sparring: ")
    assert "Traceback" not in err
    for word in words:
        assert word in err


def write_games(folder):
    """Files with something wrong in each, and some that are right."""
    payoff = {"payoff": [[1.0, -1.0], [-1.0, 1.0]]}
    files = {
        "nan.csv": "1,nan\n0,1\n",
        "inf.csv": "1,inf\n0,1\n",
        "ragged.csv": "1,2\n3\n",
        "words.csv": "1,two\n3,4\n",
        "empty.csv": "",
        "good.csv": "1,-1\n-1,1\n",
        "nan.json": '{"payoff": [[1, NaN], [0, 1]]}',
        "no.json": "{",
        "key.json": '{"pay": [[1]]}',
        "general.json": json.dumps(payoff | {"payoff1": [[1.0, 0.0], [0.0, 1.0]]}),
        "shape.json": '{"payoff": [1, 2]}',
        "rows.json": json.dumps({"transition": [[[0.5, 0.4], [1, 0]], [[1, 0], [1, 0]]], "reward": [[0, 0], [0, 1]],
                                 "gamma": 0.9}),
        "gamma.json": json.dumps({"transition": [[[1.0]]], "reward": [[0]], "gamma": 1.0}),
    }  # fmt: skip
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    np.savez(folder / "object.npz", payoff=np.array([[1, "x"]], dtype=object))
    np.save(folder / "bare.npy", np.eye(2))
    (folder / "bare.npy").rename(folder / "bare.npz")
    (folder / "text.npz").write_text("no archive", encoding="utf-8")


def write_policies(folder):
    files = {
        "negative.json": [-0.5, 1.0, 0.5],
        "sum.json": [0.5, 0.5, 0.5],
        "short.json": [0.5, 0.5],
        "words.json": ["a", "b", "c"],
        "other.json": {"kind": "matrix", "player": 0, "game": "matrix:other", "probabilities": [1, 0, 0]},
        "seat.json": {"kind": "matrix", "player": 1, "probabilities": [1, 0, 0]},
        "form.json": {"kind": "markov", "player": 0, "probabilities": [[1, 0, 0]]},
        "mixture.json": {"kind": "mixture", "weights": [0.5, 0.6], "policies": [[1, 0, 0], [0, 1, 0]]},
        "parts.json": {"kind": "mixture", "weights": [1.0]},
        "good.json": [0.25, 0.25, 0.5],
    }
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value), encoding="utf-8")
    (folder / "nan.json").write_text("[NaN, 0.5, 0.5]", encoding="utf-8")
    (folder / "broken.json").write_text("[0.5,", encoding="utf-8")
    (folder / "latin.json").write_bytes(b"\xff\xfe")
    (folder / "deep.json").write_text("[" * 100_000, encoding="utf-8")
    np.savez(folder / "name.npz", policy=np.ones(3) / 3)
    np.savez(folder / "good.npz", probabilities=np.array([0.25, 0.25, 0.5]))
    (folder / "text.npz").write_text("no archive", encoding="utf-8")
    (folder / "empty.npz").write_bytes(b"")


MISTAKES = [
    # names
    ("evaluate matrix:rock-paper-scisors --victim uniform --threat partial-control --budget 1", "did you mean"),
    ("evaluate matrx:x --victim uniform --threat partial-control --budget 1", "did you mean 'matrix'?"),
    ("evaluate no-such-game --victim uniform --threat partial-control --budget 1", "unknown game 'no-such-game'"),
    (f"evaluate {RPS} --victim uniform --threat partial-contrl --budget 1", "did you mean 'partial-control'?"),
    (f"evaluate {RPS} --victim unifrom --threat partial-control --budget 1", "did you mean 'uniform'?"),
    (f"{ATTACKED} --budget 1 --oracle exct", "did you mean 'exact'?"),
    (f"{ATTACKED} --budget 1 --oracle 'random(draws=x)'", "option draws = 'x'"),
    (f"{ATTACKED} --budget 1 --oracle 'random(draw=2)'", "did you mean 'draws'?"),
    (f"{ATTACKED} --budget 1 --metric visit", "unknown metric 'visit'"),
    (f"{ATTACKED} --budget 1 --bounds crwn", "unknown bound-backend 'crwn': did you mean 'crown'?"),
    (f"evaluate {RPS} --victim uniform --threat 'partial-control(' --budget 1", "parenthesis is not closed"),
    (f"solve {RPS} --solver min-orcle --threat partial-control --budget 1", "did you mean 'min-oracle'?"),
    (f"solve {RPS} --solver 'sgda(rate=-1)' --threat partial-control --budget 1", "option rate = -1"),
    (f"solve {RPS} --solver shapley --threat partial-control --budget 1", "needs a markov game"),
    ("solve markov:sa-toy --solver sibr --threat observation --budget 1", "respond:victim"),
    ("plugins info min-orcle", "did you mean 'min-oracle'?"),
    # budgets
    (f"{ATTACKED} --budget 1.5 --benign uniform", "a number from 0 to 1"),
    (f"{ATTACKED} --budget -1 --benign uniform", "a number from 0 to 1"),
    (f"{ATTACKED} --budget nan --benign uniform", "budget nan"),
    (f"{ATTACKED} --budget inf --benign uniform", "budget inf"),
    (f"{ATTACKED} --budget much", "'much' is no number"),
    (f"{ATTACKED} --budget 0.1,", "'' is no number"),
    (f"{ATTACKED} --budget 0.1 --budget 0.2 --benign uniform", "2 budgets for 1 threats"),
    ("evaluate markov:sa-toy --victim uniform --threat observation --budget 0.5", "whole number from 0"),
    ("evaluate markov:sa-toy --victim uniform --threat observation --threat action --budget 1,2 --budget 1",
     "a comma list of budgets needs a single threat"),
    (f"solve {RPS} --solver lp --threat partial-control --budget 0.5,1 --benign uniform", "solve takes one budget"),
    # seats and benign policies
    (f"{ATTACKED} --budget 1 --victim-player 2", "has seats 0, 1"),
    (f"{ATTACKED} --budget 1 --victim-player one", "--victim-player"),
    ("evaluate markov:sa-toy --victim uniform --threat observation --budget 1 --victim-player 1", "leave it out"),
    (f"{ATTACKED} --budget 0.5", "benign: required by partial-control"),
    ("evaluate markov:sa-toy --victim uniform --threat observation --budget 1 --benign uniform", "benign: refused"),
    ("evaluate markov:sa-toy --victim uniform --threat partial-control --budget 1", "needs another agent"),
    (f"evaluate {RPS} --victim uniform --threat observation --budget 1", "needs a markov, simulated game"),
    # files of games
    ("evaluate matrix:nan.csv --victim uniform --threat partial-control --budget 1", "line 1"),
    ("evaluate matrix:inf.csv --victim uniform --threat partial-control --budget 1", "inf.csv"),
    ("evaluate matrix:ragged.csv --victim uniform --threat partial-control --budget 1", "ragged.csv"),
    ("evaluate matrix:words.csv --victim uniform --threat partial-control --budget 1", "two"),
    ("evaluate matrix:empty.csv --victim uniform --threat partial-control --budget 1", "empty.csv"),
    ("evaluate matrix:nan.json --victim uniform --threat partial-control --budget 1", "nan"),
    ("evaluate matrix:no.json --victim uniform --threat partial-control --budget 1", "no JSON, line 1"),
    ("evaluate matrix:key.json --victim uniform --threat partial-control --budget 1", "did you mean 'payoff'?"),
    ("evaluate matrix:shape.json --victim uniform --threat partial-control --budget 1", "expected [A0, A1]"),
    ("evaluate matrix:object.npz --victim uniform --threat partial-control --budget 1", "objects are refused"),
    ("evaluate matrix:bare.npz --victim uniform --threat partial-control --budget 1", "bare.npz"),
    ("evaluate matrix:text.npz --victim uniform --threat partial-control --budget 1", "text.npz"),
    ("evaluate matrix:missing.csv --victim uniform --threat partial-control --budget 1", "No such file"),
    ("evaluate matrix:file --victim uniform --threat partial-control --budget 1", "matrix:file(path=FILE)"),
    ("evaluate matrix:general.json --victim equilibrium --threat partial-control --budget 1", "do not add up to 0"),
    ("evaluate markov:sa-toy --victim equilibrium --threat observation --budget 1", "one agent"),
    ("evaluate markov:rows.json --victim uniform --threat action --budget 1", "sums to 0.9, expected 1"),
    ("evaluate markov:gamma.json --victim uniform --threat action --budget 1", "gamma is 1"),
    ("evaluate 'markov:sa-toy(gama=1)' --victim uniform --threat action --budget 1", "did you mean 'gamma'?"),
    # the command line itself
    ("evaluat", "evaluat"),
    (f"evaluate {RPS} --threat partial-control --budget 1", "--victim"),
    (f"evaluate {RPS} --victim uniform --budget 1", "--threat"),
    (f"evaluate {RPS} --victim uniform --threat partial-control", "--budget"),
    (f"{ATTACKED} --budget 1 --oracles exact", "--oracle"),
    (f"{ATTACKED} --budget 1 --seed -1", "--seed"),
    (f"{ATTACKED} --budget 1 --episodes 0", "--episodes"),
    (f"solve {RPS} --solver lp --threat partial-control --budget 1 --iterations 0", "--iterations"),
    ("plugins lst", "lst"),
    # places
    (f"{ATTACKED} --budget 1 --json missing/a.json", "its folder does not exist"),
    (f"{ATTACKED} --budget 1 --json .", "it is a folder"),
    (f"{ATTACKED} --budget 1 --json ''", "it is a folder"),
    (f"solve {RPS} --solver lp --threat partial-control --budget 1 --out good.csv", "good.csv"),
    (f"solve {RPS} --solver lp --threat partial-control --budget 1 --json missing/a.json", "its folder does not exist"),
    ("plugins list --json missing/a.json", "its folder does not exist"),
]  # fmt: skip


@pytest.mark.parametrize(("line", "word"), MISTAKES)
def test_a_users_mistake_is_one_line_and_exit_2(call, tmp_path, line, word):
    write_games(tmp_path)
    before = sorted(tmp_path.iterdir())
    refused(call(line), word)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("negative.json", "negative"),
        ("sum.json", "does not sum to one"),
        ("short.json", "expected [3]"),
        ("words.json", "expected an array of probabilities"),
        ("other.json", "made for matrix:other"),
        ("seat.json", "made for seat 1"),
        ("form.json", "a markov policy"),
        ("mixture.json", "does not sum to one"),
        ("parts.json", "'policies' and 'weights'"),
        ("nan.json", "not a number"),
        ("broken.json", "not JSON"),
        ("latin.json", "not JSON"),
        ("deep.json", "not JSON"),
        ("name.npz", "no array named 'probabilities'"),
        ("text.npz", "text.npz"),
        ("empty.npz", "empty.npz"),
        ("missing.json", "No such file"),
        ("missing.npz", "No such file"),
        (".", "irectory"),
    ],
)
def test_a_policy_file_that_is_not_what_it_claims_is_refused(call, tmp_path, name, word):
    write_policies(tmp_path)
    refused(call(f"evaluate {RPS} --victim file:{name} --threat partial-control --budget 1"), word, name)


@pytest.mark.parametrize("name", ["good.json", "good.npz"])
def test_a_policy_file_is_evaluated(call, tmp_path, name):
    write_policies(tmp_path)
    code, out, err = call(f"evaluate {RPS} --victim file:{name} --threat partial-control --budget 1 --json -")
    assert (code, "Traceback" in err) == (0, False)
    document = json.loads(out)
    assert document["exploitability"]["lower"] == pytest.approx(0.25)
    assert document["victim"]["spec"] == f"file:{name}"


def test_a_game_file_is_evaluated(call, tmp_path):
    write_games(tmp_path)
    line = "evaluate matrix:good.csv --victim equilibrium --threat partial-control --budget 1 --json -"
    assert json.loads(call(line)[1])["exploitability"]["lower"] == pytest.approx(0.0, abs=1e-9)
    line = "evaluate 'matrix:file(path=general.json)' --victim uniform --threat partial-control --budget 1 --json -"
    assert json.loads(call(line)[1])["exploitability"]["exact"] is True


def test_json_to_standard_output_is_the_document_alone(call):
    code, out, err = call(f"{ATTACKED} --budget 0.5 --benign uniform --json -")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "sparring.evaluation/1"
    assert "exploitability" in err  # the table for people
    assert document["provenance"]["command"] == (f"sparring {ATTACKED} --budget 0.5 --benign uniform --json -")


def test_without_json_the_table_is_on_standard_output(call):
    code, out, err = call(f"{ATTACKED} --budget 0.5 --benign uniform")
    assert (code, err) == (0, "")
    assert "exploitability" in out
    assert "uniform" in out


@pytest.mark.parametrize(
    "command", [f"{ATTACKED} --budget 1", f"solve {RPS} --solver lp --threat partial-control --budget 1"]
)
def test_json_to_a_file(call, tmp_path, command):
    (tmp_path / "a.json").write_text("old")
    assert call(f"{command} --json a.json")[0] == 0
    assert json.loads((tmp_path / "a.json").read_text())["schema"].startswith("sparring.")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_comma_budgets_and_several_victims_give_a_list(call):
    _, out, _ = call(f"{ATTACKED} --budget 0,0.5,1 --benign uniform --json -")
    found = json.loads(out)
    assert [item["budget"]["value"] for item in found] == [0.0, 0.5, 1.0]
    line = (
        f"evaluate {RPS} --victim uniform --victim equilibrium --threat partial-control --budget 0,1 --benign uniform"
    )
    found = json.loads(call(f"{line} --json -")[1])
    assert [(item["victim"]["spec"], item["budget"]["value"]) for item in found] == [
        ("uniform", 0.0), ("uniform", 1.0), ("equilibrium", 0.0), ("equilibrium", 1.0),
    ]  # fmt: skip
    assert isinstance(json.loads(call(f"{ATTACKED} --budget 1 --json -")[1]), dict)


def test_threats_compose(call):
    line = "evaluate markov:grid-traps --victim uniform --threat observation --budget 1 --threat action --budget 0.1"
    document = json.loads(call(f"{line} --json -")[1])
    assert document["threat"]["name"] == "composed"
    assert [part["budget"]["value"] for part in document["threat"]["parts"]] == [1.0, 0.1]
    assert document["budget"] is None
    assert "1 + 0.1" in call(line)[1]


def test_oracles_metrics_and_seeds_reach_the_evaluation(call):
    line = (
        "evaluate 'markov:random-zero-sum(seed=1)' --victim uniform --threat partial-control --budget 0.4"
        " --benign uniform --oracle 'random(draws=3)' --oracle exact --metric visitation-shift --no-optimum --seed 5"
    )
    first, second = (json.loads(call(f"{line} --json -")[1]) for _ in range(2))
    assert [attack["oracle"] for attack in first["attacks"]] == ["random(draws=3)", "exact"]
    assert set(first["metrics"]["visitation-shift"]) == {"random(draws=3)", "exact"}
    assert first["optimum"] is None
    assert first["provenance"]["seed"] == 5
    for document in (first, second):
        del document["provenance"]
        for attack in document["attacks"]:
            del attack["seconds"]
    assert first == second


SOLVE = f"solve {RPS} --threat partial-control --budget 0.8 --benign uniform --iterations 40 --seed 3"


def test_solve_writes_a_run_that_loads_as_a_policy(call, tmp_path):
    code, out, _err = call(f"{SOLVE} --solver min-oracle --out run --json -")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "sparring.solution/1"
    assert (document["solver"], document["iterations"], document["interrupted"]) == ("min-oracle", 40, False)
    assert document["policy"]["kind"] == "best"
    assert document["exploitability"]["lower"] == min(row["last"] for row in document["trace"])
    assert document["gap"] == pytest.approx(
        document["exploitability"]["lower"] - document["optimum"]["exploitability"], abs=1e-15
    )
    assert {path.name for path in (tmp_path / "run").iterdir()} == {
        "policy.json", "trace.csv", "solution.json", "checkpoint-000000040",
    }  # fmt: skip
    assert json.loads((tmp_path / "run" / "solution.json").read_text())["trace"] == document["trace"]
    with (tmp_path / "run" / "trace.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [float(row["last"]) for row in rows] == [row["last"] for row in document["trace"]]
    line = f"evaluate {RPS} --victim run:run --threat partial-control --budget 0.8 --benign uniform --json -"
    evaluated = json.loads(call(line)[1])
    assert evaluated["exploitability"]["lower"] == document["exploitability"]["lower"]
    assert evaluated["victim"]["spec"] == "run:run"


def test_a_run_whose_policy_is_a_mixture_loads_too(call, tmp_path):
    game = "'markov:random-zero-sum(seed=1)'"
    threat = "--threat partial-control --budget 0.5 --benign uniform"
    line = f"solve {game} --solver 'sgda(policy=averaged)' {threat} --iterations 5 --out run --json -"
    solved = json.loads(call(line)[1])
    assert json.loads((tmp_path / "run" / "policy.json").read_text())["kind"] == "mixture"
    loaded = sparring.load_policy("run:run", sparring.load_game("markov:random-zero-sum(seed=1)"), 0)
    assert loaded.weights == pytest.approx([0.2] * 5)
    assert solved["exploitability"]["exact"] is False
    refused(call(f"evaluate {RPS} --victim run:run --threat partial-control --budget 1"), "markov:random-zero-sum")


def test_solve_goes_on_where_it_stopped(call, tmp_path):
    assert call(f"{SOLVE} --solver self-play --out run")[0] == 0
    longer = SOLVE.replace("--iterations 40", "--iterations 80")
    resumed = json.loads(call(f"{longer} --solver self-play --out run --json -")[1])
    whole = json.loads(call(f"{longer} --solver self-play --out other --json -")[1])
    for document in (resumed, whole):
        for row in document["trace"]:
            del row["seconds"]
    assert resumed["trace"] == whole["trace"]
    assert (tmp_path / "run" / "policy.json").read_text() == (tmp_path / "other" / "policy.json").read_text()
    refused(call(f"{SOLVE} --solver sgda --out run"), "holds a run with another solver")


@pytest.mark.parametrize("folder", ["missing", "."])
def test_a_folder_without_a_run_is_refused(call, folder):
    refused(call(f"evaluate {RPS} --victim run:{folder} --threat partial-control --budget 1"), "holds no policy.json")


@pytest.fixture
def documents(call, tmp_path):
    """Evaluations of two victims on rock-paper-scissors, and of other things."""
    lines = {
        "uniform": f"{ATTACKED} --budget 0,0.5,1 --benign uniform",
        "equilibrium": f"evaluate {RPS} --victim equilibrium --threat partial-control --budget 0.5 --benign uniform",
        "full": f"evaluate {RPS} --victim uniform --threat partial-control --budget 1",
        "pennies": "evaluate matrix:matching-pennies --victim uniform --threat partial-control --budget 1",
        "seat": f"{ATTACKED} --budget 1 --victim-player 1",
        "coin": f"evaluate {RPS} --victim uniform --threat 'partial-control(coin=episode)' --budget 1",
        "benign": f"{ATTACKED} --budget 0.5 --benign file:benign.json",
        "toy": "evaluate markov:sa-toy --victim uniform --threat observation --budget 1",
        "composed": "evaluate markov:grid-traps --victim uniform --threat observation --budget 1"
        " --threat action --budget 0.1",
    }
    (tmp_path / "benign.json").write_text("[1, 0, 0]")
    for name, line in lines.items():
        assert call(f"{line} --json {name}.json")[0] == 0
    return tmp_path


def test_compare_shows_documents_by_budget(call, documents):
    code, out, _ = call("compare uniform.json equilibrium.json full.json")
    assert code == 0
    budgets = [float(match) for match in re.findall(r"│ (?:uniform|equilibrium) +│ +([\d.]+) │", out)]
    assert budgets == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert call("compare full.json")[0] == 0
    assert "1 + 0.1" in call("compare composed.json")[1]


@pytest.mark.parametrize("suffix", ["png", "svg"])
def test_compare_draws_a_picture(call, documents, suffix):
    pytest.importorskip("matplotlib")
    assert call(f"compare uniform.json equilibrium.json --plot curve.{suffix}")[0] == 0
    content = (documents / f"curve.{suffix}").read_bytes()
    assert content.startswith(b"\x89PNG") if suffix == "png" else b"<svg" in content
    assert len(content) > 2000


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("compare uniform.json missing.json", "No such file"),
        ("compare uniform.json benign.json", "documents differ in benign policy"),
        ("compare full.json pennies.json", "differ in game"),
        ("compare full.json seat.json", "differ in seat of the victim: 0 and 1"),
        ("compare full.json coin.json", "differ in threat"),
        ("compare full.json toy.json", "differ in game"),
        ("compare empty.json", "hold no evaluations"),
        ("compare solution.json", "'sparring.solution/1'"),
        ("compare", "DOC"),
        ("compare uniform.json --plot curve.xyz", "take .png or .svg"),
        ("compare uniform.json --plot curve", "take .png or .svg"),
        ("compare uniform.json --plot missing/curve.png", "cannot write missing/curve.png"),
        ("compare composed.json --plot curve.png", "no single budget"),
        ("compare sampled.json other-seed.json", "need the same seed"),
    ],
)
def test_what_cannot_be_compared_is_refused(call, documents, line, word):
    pytest.importorskip("matplotlib")
    (documents / "empty.json").write_text("[]")
    (documents / "solution.json").write_text('{"schema": "sparring.solution/1"}')
    sampled = json.loads((documents / "full.json").read_text())
    sampled["exploitability"]["exact"] = False
    (documents / "sampled.json").write_text(json.dumps(sampled))
    sampled["provenance"]["seed"] = 1
    (documents / "other-seed.json").write_text(json.dumps(sampled))
    refused(call(line), word)
    assert not list(documents.glob("curve*"))


def test_plugins_list(call):
    code, out, _ = call("plugins list --json -")
    rows = json.loads(out)
    assert code == 0
    assert {"kind": "solver", "name": "min-oracle", "distribution": "sparring", "version": "0.1.0"} in rows
    table = call("plugins list")[1]
    assert all(row["name"] in table for row in rows)


def test_plugins_info_tells_every_built_in(call):
    for entry in default_registry().entries:
        if entry.distribution == "sparring":
            code, out, err = call(f"plugins info {entry.kind}.{entry.name}")
            assert (code, err) == (0, "")
            assert f"{entry.kind} {entry.name}" in out
    out = " ".join(call("plugins info two-timescale")[1].split())
    for word in ("victim_rate", "attacker_rate", "> 0", "0.01", "algorithm 2", "extensive", "sparring 0.1.0"):
        assert word in out
    out = " ".join(call("plugins info partial-control")[1].split())
    for word in ("coin", "decision, episode", "mixing-probability: a number from 0 to 1", "used"):
        assert word in out
    out = " ".join(call("plugins info dynamics")[1].split())
    assert "force-bound: a number from 0 (newton) relative-change: a number from 0 to 0.99 (part of the nominal" in out
    assert "value) with what=mass, with what=friction, with what=damping" in out
    out = " ".join(call("plugins info threat-model.observation")[1].split())
    assert (
        "graph-radius: a whole number from 0 (steps in the neighbour graph) on markov lp-radius: a number from 0" in out
    )


def test_a_broken_plugin_is_one_line_and_exit_1(tmp_path):
    install(tmp_path, "acme-attacks", {"oracle.mine": "acme"}, {"acme": ORACLE.format(name="mien", word="x")})
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    words = [*shlex.split(ATTACKED), "--budget", "1", "--oracle"]
    broken = process(*words, "mine", env=environment)
    out, err = broken.communicate(timeout=60)
    assert (broken.returncode, out) == (1, "")
    assert err.count("\n") == 1
    assert "acme-attacks 1.2.3" in err
    assert "did you mean 'mien'?" in err
    sound = process(*words, "exact", "--json", "-", env=environment)
    assert json.loads(sound.communicate(timeout=60)[0])["exploitability"]["exact"] is True


def test_processes_exit_with_the_codes_that_scripts_rely_on(tmp_path):
    done = process(*shlex.split(f"{ATTACKED} --budget 1 --json -"), cwd=tmp_path)
    wrong = process(*shlex.split(f"{ATTACKED} --budget 2"), cwd=tmp_path)
    out, err = done.communicate(timeout=60)
    assert done.returncode == 0
    assert json.loads(out)["provenance"]["command"].startswith("sparring evaluate")
    out, err = wrong.communicate(timeout=60)
    assert (wrong.returncode, out) == (2, "")
    assert err == "sparring: budget 2: a mixing-probability is a number from 0 to 1 (probability)\n"


@pytest.mark.parametrize("line", ["", "--help", "evaluate --help", "solve --help", "compare --help", "plugins --help"])
def test_help_is_no_mistake(call, line):
    code, out, err = call(line)
    assert (code, err) == (0, "")
    assert "Usage: sparring" in out


def test_a_reader_that_goes_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-c", "from sparring.cli import main; main()", "plugins", "list", "--json", "-"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, text=True, check=False, timeout=60)
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, "")


def wait_for(condition, started, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert started.poll() is None, started.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(not hasattr(signal, "SIGINT") or os.name != "posix", reason="signals as POSIX has them")
def test_an_interrupted_solve_leaves_whole_files_and_goes_on(tmp_path):
    folder = tmp_path / "run"
    words = ["solve", RPS, "--solver", "self-play", "--threat", "partial-control", "--budget", "1", "--seed", "3"]
    started = process(*words, "--iterations", "1000000", "--out", "run", "--json", "a.json", cwd=tmp_path)
    wait_for(lambda: list(folder.glob("checkpoint-*/loop.json")), started)
    started.send_signal(signal.SIGINT)
    _out, err = started.communicate(timeout=60)
    assert started.returncode == 1
    assert err == "sparring: interrupted\n"
    document = json.loads((tmp_path / "a.json").read_text())
    assert document["interrupted"] is True
    assert document["exploitability"]["lower"] == min(row["last"] for row in document["trace"])
    for path in tmp_path.rglob("*.json"):
        json.loads(path.read_text())
    assert not list(tmp_path.rglob("*.part"))
    assert {path.name for path in folder.iterdir() if path.is_file()} == {"policy.json", "trace.csv", "solution.json"}
    (checkpoint,) = folder.glob("checkpoint-*")
    reached = int(checkpoint.name.removeprefix("checkpoint-"))
    again = process(*words, "--iterations", str(reached + 10), "--out", "run", cwd=tmp_path)
    assert (again.communicate(timeout=60)[1], again.returncode) == ("", 0)


@pytest.mark.parametrize("old", [None, "old"])
def test_an_interruption_while_writing_leaves_no_half_written_file(call, tmp_path, monkeypatch, old):
    if old is not None:
        (tmp_path / "a.json").write_text(old)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    code, _, err = call(f"{ATTACKED} --budget 1 --json a.json")
    assert (code, err) == (1, "sparring: interrupted\n")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == ({} if old is None else {"a.json": old})
