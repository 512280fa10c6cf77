"""What is stopped goes on: no finished episode is played twice, and the document is that of a run left alone."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from sparring import attack, evaluate
from sparring.errors import RefusedError, RequestError
from sparring.journal import Journal, Played
from sparring.oracle import Finding, Oracle
from sparring.simulated.attackers import RandomAttacker
from tiny_world import TinyGame, TinyWorld, Tracker

MAIN = "from sparring.cli import main; main()"
ORACLES = ["random", "random(noise=sign)"]


class Written(Tracker):
    """A victim that can be written down."""

    def to_document(self):
        return {"kind": "tracker", "gain": self.gain, "weight": self.weight, "noise": self.noise}

    def inner(self):
        return Written(self.gain, self.weight, self.noise, False, self.shown)


class Stopped(Exception):
    pass


class CountedWorld(TinyWorld):
    """Counts the steps of episodes that move, and stops when they are spent."""

    spent, most = 0, None

    def step(self, actions, active=None):
        moves = (self.left > 0) if active is None else (self.left > 0) & active
        CountedWorld.spent += int(moves.sum())
        if CountedWorld.most is not None and CountedWorld.spent > CountedWorld.most:
            raise Stopped
        return super().step(actions, active)


@dataclass(frozen=True, eq=False)
class CountedGame(TinyGame):
    def world(self, size, workers=0):
        return CountedWorld(size)


def told(report):
    document = json.loads(report.to_text())
    document.pop("provenance")
    for record in document["attacks"]:
        record.pop("seconds")
    return document


def run(folder, most=None, victim=None, oracles=ORACLES, **options):
    """An evaluation in a fresh game; its document and the steps that it took."""
    CountedWorld.spent, CountedWorld.most = 0, most
    duel = attack(CountedGame(), "observation(space=raw, share=0.5)", 0.4).in_batches(4)
    victim = Written(weight=0.3, noise=0.1) if victim is None else victim
    report = evaluate(duel, victim, oracles=oracles, episodes=11, seed=5, resume=folder, **options)
    return told(report), CountedWorld.spent


# ---- going on --------------------------------------------------------------------------------------------------------


def test_a_stopped_evaluation_goes_on_where_it_was(tmp_path):
    whole, steps = run(None)
    finished = [0]
    for most in (10, 40, 90, 130):  # stopped four times, each time a little later
        with pytest.raises(Stopped):
            run(tmp_path / "kept", most)
        lines = (tmp_path / "kept" / "episodes.jsonl").read_bytes().splitlines()
        finished.append(len(lines) - 1)
    assert finished == sorted(finished)
    assert finished[-1] > 10
    known = [json.loads(line.rpartition(b" ")[0]) for line in lines[1:]]
    document, rest = run(tmp_path / "kept")
    assert document == whole
    assert rest == steps - sum(row[3] for row in known), "just the steps of the episodes that had not finished"
    assert run(tmp_path / "kept") == (whole, 0)


def test_only_the_same_is_taken_for_the_same(tmp_path):
    _, steps = run(tmp_path)
    other = run(tmp_path, victim=Written(weight=0.3, noise=0.2))
    assert other == (run(None, victim=Written(weight=0.3, noise=0.2))[0], steps)
    assert run(tmp_path, oracles=["random"])[1] == 0
    duel = attack(CountedGame(), "observation(space=raw, share=0.5)", 0.3).in_batches(4)
    CountedWorld.spent = 0
    evaluate(duel, Written(weight=0.3, noise=0.1), oracles=["random"], episodes=11, seed=5, resume=tmp_path)
    nominal = steps // 3
    assert CountedWorld.spent == pytest.approx(2 * nominal, abs=nominal), "another budget is another attack"


@pytest.mark.parametrize("damage", ["half a line", "a flipped bit", "no end", "nonsense"])
def test_a_damaged_tail_is_dropped_and_not_trusted(damage, tmp_path):
    whole, _ = run(tmp_path)
    path = tmp_path / "episodes.jsonl"
    lines = path.read_bytes().splitlines(keepends=True)
    last = {
        "half a line": lines[-1][: len(lines[-1]) // 2],
        "a flipped bit": lines[-1].replace(b".", b"1", 1),
        "no end": lines[-1].rstrip(b"\n"),
        "nonsense": b"\x00\xff nonsense\n",
    }[damage]
    path.write_bytes(b"".join(lines[:-1]) + last)
    document, steps = run(tmp_path)
    assert document == whole
    assert steps == json.loads(lines[-1].rpartition(b" ")[0])[3]
    with Journal(tmp_path):
        assert sorted(path.read_bytes().splitlines()) == sorted(b"".join(lines).splitlines())


class Slow(Oracle):
    name = "slow"
    summary = "for tests"
    searches = 0

    def attack(self, duel, victim, *, effort, rng):
        Slow.searches += 1
        return Finding(
            RandomAttacker("sign" if rng.random() < 2 else "uniform"), claimed=None, steps=7, warnings=("hm",)
        )


def test_what_an_oracle_has_found_is_not_searched_again(tmp_path):
    Slow.searches = 0
    documents = [run(tmp_path, oracles=[Slow()])[0] for _ in range(2)]
    assert documents[0] == documents[1]
    assert documents[0]["attacks"][0]["warnings"] == ["hm"]
    assert Slow.searches == 1
    run(tmp_path, oracles=[Slow()], victim=Written(gain=2.0))
    assert Slow.searches == 2, "another victim is searched anew"


def test_attackers_of_the_built_in_oracles_come_back_from_their_documents(tmp_path):
    """Climbers among them, whose searches and tests cost episodes of their own."""
    torch = pytest.importorskip("torch")
    from sparring.attack_game import Side
    from sparring_plugins.critics.critic import LearnedCritic, Scales, flat_network
    from sparring_plugins.oracles._critic_attacker import CriticAttacker

    sizes = (4, 3, 1)
    weights = np.random.default_rng(0).normal(size=flat_network(sizes)[1].numel()).astype(np.float32)
    scales = Scales(np.array([0.1, -1 / 3]), np.array([1.5, 2.0]), np.zeros(2), np.ones(2), 0.7, 3.0)
    judging = CriticAttacker("learned-critic", 3, 0.4, critic=LearnedCritic(scales, sizes, weights), mix=0.25)
    duel = attack(TinyGame(), "observation(space=raw)", 0.4)
    again = duel.restore(json.loads(json.dumps(judging.to_document())), Side.ATTACKER)
    assert again.to_document() == judging.to_document()
    states, actions = torch.ones(2, 2), torch.zeros(2, 2)
    assert torch.equal(again.critic.values(states, actions), judging.critic.values(states, actions))
    oracles = ["mad", "pgd(restarts=2)", "robust-sarsa(transitions=1024,epochs=1,batch=64,weights=1,spreads=3)"]
    first, _ = run(tmp_path, oracles=oracles)
    assert len(list((tmp_path / "attackers").iterdir())) == 3
    assert run(tmp_path, oracles=oracles) == (first, 0), "not a step, of their own tests either"


# ---- what is refused -------------------------------------------------------------------------------------------------


def test_folders_that_hold_something_else(tmp_path):
    path = tmp_path / "episodes.jsonl"
    path.write_text("my notes\n")
    with pytest.raises(RequestError, match="is no journal; choose a new folder"):
        run(tmp_path)
    assert path.read_text() == "my notes\n"
    path.unlink()
    with Journal(tmp_path) as journal:
        journal.add("x", 1, Played(1.5, 2, True))
    text = path.read_bytes().splitlines(keepends=True)
    import zlib

    head = b'{"journal": 99}'
    path.write_bytes(head + f" {zlib.crc32(head):08x}\n".encode() + text[1])
    with pytest.raises(RequestError, match="of another format; choose a new folder"):
        Journal(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(RequestError, match="resume folder"):
        Journal(tmp_path / "file")


def test_two_at_once_are_refused(tmp_path):
    with Journal(tmp_path), pytest.raises(RequestError, match="another process is working in it"):
        Journal(tmp_path)
    Journal(tmp_path).close()


def test_what_cannot_be_told_apart_is_not_kept(tmp_path):
    duel = attack(TinyGame(), "observation(space=raw)", 0.4)
    with pytest.raises(RefusedError, match="a Python function cannot be told from another of its name"):
        evaluate(duel, lambda seen: -seen, oracles=["random"], episodes=3, resume=tmp_path)
    with pytest.raises(RefusedError, match="the matrix form has no episodes to go on from"):
        evaluate(attack("matrix:rock-paper-scissors"), "uniform", resume=tmp_path)


# ---- killed processes ------------------------------------------------------------------------------------------------


def command(folder, out):
    words = [
        "evaluate",
        "gym:Pendulum-v1(max_episode_steps=100)",
        "--threat",
        "observation(space=raw)",
        "--budget",
        "0.3",
    ]
    words += ["--victim", "uniform", "--oracle", "random", "--episodes", "24"]
    words += ["--batch", "4", "--workers", "2", "--json", str(out)]
    return [sys.executable, "-c", MAIN, *words, *([] if folder is None else ["--resume", str(folder)])]


def finished(folder):
    with contextlib.suppress(FileNotFoundError):
        return len((folder / "episodes.jsonl").read_bytes().splitlines()) - 1
    return 0


def started(folder, out, more):
    """A run that has finished so many episodes more than there were."""
    before = finished(folder)
    child = subprocess.Popen(command(folder, out), stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True)
    deadline = time.monotonic() + 60
    while finished(folder) < before + more:
        assert child.poll() is None, child.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return child


def children(pid):
    """The worker processes of a process: those of its children that were made to serve."""
    found = [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return [each for each in found if b"spawn_main" in Path(f"/proc/{each}/cmdline").read_bytes()]


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="looks for worker processes in /proc")
def test_killed_in_the_middle_it_goes_on(tmp_path):
    pytest.importorskip("gymnasium")
    folder, out = tmp_path / "kept", tmp_path / "resumed.json"
    child = started(folder, out, 6)
    workers = children(child.pid)
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    _, complaint = child.communicate(timeout=60)
    assert child.returncode == 1
    assert complaint.count("\n") == 1
    assert "was killed by SIGKILL" in complaint
    child = started(folder, out, 24)
    orphans = children(child.pid)
    child.kill()
    child.communicate(timeout=60)
    assert child.returncode == -signal.SIGKILL
    assert not out.exists()
    _wait_for_the_end_of(orphans)
    kept = finished(folder)
    assert 30 <= kept < 96
    whole = tmp_path / "whole.json"
    for where, target in ((folder, out), (None, whole)):
        subprocess.run(command(where, target), check=True, capture_output=True, timeout=120)
    documents = [json.loads(path.read_text()) for path in (out, whole)]
    for document in documents:
        document.pop("provenance")
        document["attacks"][0].pop("seconds")
    assert documents[0] == documents[1]
    rows = [json.loads(line.rpartition(b" ")[0]) for line in (folder / "episodes.jsonl").read_bytes().splitlines()[1:]]
    assert len({(of, seed) for of, seed, *_ in rows}) == len(rows) == 96, "each episode has finished once"


def _wait_for_the_end_of(processes):
    """Workers whose parent is gone end by themselves."""
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() and _state(pid) != "Z" for pid in processes):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.02)


def _state(pid):
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    return "Z"


def test_after_a_lost_worker_the_same_attack_game_goes_on(tmp_path):
    pytest.importorskip("gymnasium")
    import sparring
    from sparring.simulated.faults import WorldError

    game = sparring.load_game("gym:Pendulum-v1(max_episode_steps=20)")
    duel = attack(game, "observation(space=raw)", 0.1).in_batches(2, workers=1)
    victim = game.uniform_policy(None)
    first = duel.play(victim, None, [1, 2])
    os.kill(duel._world._workers[0]._process.pid, signal.SIGKILL)
    with pytest.raises(WorldError, match="was killed by SIGKILL"):
        duel.play(victim, None, [1, 2])
    assert np.array_equal(duel.play(victim, None, [1, 2]).returns, first.returns)
    duel._world.close()
