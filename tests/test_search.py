"""A search over an oracle's settings: what it ranges over, that it finds what is best, goes on, and is repeated."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
import pytest
from pydantic import Field

from paying_world import PayingGame
from sparring import attack, evaluate
from sparring.errors import RefusedError, RequestError, SparringError
from sparring.oracle import Finding, Oracle
from sparring.plugin import PluginOptions, unit
from sparring.registry import default_registry
from sparring.streams import stream
from tiny_world import Constant, Tracker

pytest.importorskip("optuna")

from sparring_plugins.oracles import _search_study, _search_work
from sparring_plugins.oracles._choosing import Yardstick
from sparring_plugins.oracles._search_space import Dimension, space_of
from sparring_plugins.oracles.search import SettingsSearch


class PushOptions(PluginOptions):
    across: float = Field(0.0, ge=-1, le=1)
    along: float = Field(0.0, ge=-1, le=1)
    rate: float = Field(0.1, gt=0, le=1)
    count: int = Field(3, ge=1, le=8)
    size: int = Field(64, ge=1, le=4096)
    effort: int = Field(5, ge=1, le=9, json_schema_extra=unit("steps", searched=False))
    momentum: float = Field(0.5, ge=0, lt=1)
    sure: bool = False
    noise: Literal["none", "some"] = "none"
    beta: float = Field(0.0, ge=0)
    folder: str = ""
    perhaps: Annotated[float, Field(gt=0)] | None = None


class Push(Oracle):
    """Always proposes the same: (1, -1) costs the victim most. Refuses where it is told to, as learned attacks may."""

    name: ClassVar[str] = "push"
    summary: ClassVar[str] = "a constant"
    Options: ClassVar[type[PluginOptions]] = PushOptions

    def attack(self, duel, victim, *, effort, rng):
        if self.options.noise == "some":
            raise RefusedError("push: no noise")
        return Finding(Constant([self.options.across, self.options.along]), steps=7, warnings=("pushes",))


def duel_of():
    return attack(PayingGame(), "observation", 0.4)


@pytest.fixture
def registry(monkeypatch):
    """The installed plugins, and `push`."""
    from importlib.metadata import EntryPoint

    from sparring.registry import Entry, Registry, installed_entries

    known = Registry(
        [*installed_entries(), Entry("oracle", "push", "tests", "0", EntryPoint("oracle.push", "none", "sparring"))]
    )
    load = known.load
    monkeypatch.setattr(known, "load", lambda entry: Push if entry.name == "push" else load(entry))
    with known.in_use():
        yield known


def found(of="push", over="across=-1..1;along=-1..1", seed=0, **options):
    oracle = SettingsSearch(of=of, over=over, **{"episodes": 4, "trials": 12, **options})
    return oracle.attack(duel_of(), Tracker(gain=0.5), effort=None, rng=stream(seed, "test"))


def told(finding):
    """What must be the same again."""
    tried = [(each.oracle, each.value, each.steps, each.warnings) for each in finding.tried]
    return tried, finding.attacker.to_document(), finding.search.best, finding.search.steps, finding.warnings


# ---- what is searched ------------------------------------------------------------------------------------------------


def test_the_space_is_that_of_the_typed_options():
    space = {dimension.name: dimension for dimension in space_of(Push, "", {})}
    assert set(space) == {"across", "along", "rate", "count", "size", "momentum", "sure", "noise"}
    assert str(space["across"]) == "-1..1 linear"
    assert str(space["rate"]) == "0.001..1 log"  # all above 0: from a hundredth of the default
    assert str(space["count"]) == "1..8 linear"
    assert space["count"].whole
    assert str(space["size"]) == "1..4096 log"
    assert space["momentum"].high < 1
    assert space["sure"].choices == (False, True)
    assert space["noise"].choices == ("none", "some")
    assert "across" not in {dimension.name for dimension in space_of(Push, "", {"across": 1.0})}


def test_the_user_narrows_it():
    space = space_of(Push, "rate=0.01..0.5 linear;count=2..4;noise=none|some;beta=0.1..10;perhaps=1..2", {})
    assert [str(dimension) for dimension in space] == [
        "0.01..0.5 linear", "2..4 linear", "none|some", "0.1..10 log", "1..2 linear",
    ]  # fmt: skip
    assert Dimension("count", True, 2, 4) in space


@pytest.mark.parametrize(
    ("over", "words"),
    [
        ("rat=0..1", "did you mean 'rate'"),
        ("rate", "expected rate=LOW..HIGH"),
        ("rate=0.1..2", "option rate"),
        ("rate=0.5..0.1", "is no range"),
        ("across=-1..1 log", "is no range for log"),
        ("rate=a..b", "'a' is no number"),
        ("rate=0.1..1 cubic", "'cubic'"),
        ("noise=none|much", "option noise"),
        ("across=0..1;across=0..1", "twice"),
        ("count=1..2", "leave one of them out"),
    ],
)
def test_what_is_no_range_is_refused(over, words):
    with pytest.raises(RequestError, match=words):
        space_of(Push, over, {"count": 2})


def test_built_in_oracles_offer_what_is_worth_searching():
    spaces = {}
    for name in ("pgd", "mad", "robust-sarsa"):
        oracle = default_registry().create("oracle", name)
        spaces[name] = {dimension.name for dimension in space_of(type(oracle), "", {})}
    assert spaces["pgd"] == {"rate", "momentum"}
    assert spaces["mad"] == {"rate"}
    assert {"discount", "learning_rate"} <= spaces["robust-sarsa"]
    assert not {"transitions", "epochs", "selection", "keep", "steps"} & spaces["robust-sarsa"]


def test_an_oracle_without_settings_has_nothing_to_search():
    with pytest.raises(RequestError, match="name some with over"):
        evaluate(duel_of(), Tracker(), ["search(of=fgsm)"], episodes=2)
    with pytest.raises(RequestError, match="searches itself"):
        evaluate(duel_of(), Tracker(), ["search(of=search(of=mad))"], episodes=2)


# ---- what is found ---------------------------------------------------------------------------------------------------


def test_it_comes_near_the_best_and_beats_chance(registry):
    finding = found(trials=40)
    across, along = finding.attacker.proposal
    assert across > 0.7
    assert along < -0.3
    late, early = (np.mean([each.value for each in part]) for part in (finding.tried[-15:], finding.tried[:10]))
    assert late < early
    assert finding.search.trials == len(finding.tried) == 40
    assert finding.search.best == min(finding.tried, key=lambda each: each.value).oracle
    assert finding.steps == finding.search.steps == sum(each.steps for each in finding.tried)
    assert finding.warnings == ("pushes",)


def test_refused_trials_are_noted(registry):
    finding = found(over="across=-1..1;noise=none|some")
    refused = [each for each in finding.tried if each.value is None]
    assert refused
    assert f"{len(refused)} of 12 trials were refused" in finding.warnings[-1]
    with pytest.raises(RefusedError, match="refuses all trials: push: no noise"):
        found(of="push(noise=some)", over="across=-1..1")


def test_the_effort_stands_in_the_document(registry):
    spec = "search(of=push(count=2),over=across=-1..1,trials=3,episodes=4)"
    report = evaluate(duel_of(), Tracker(gain=0.5), [spec], episodes=4, registry=registry)
    (record,) = json.loads(report.to_text())["attacks"]
    assert record["search"]["oracle"] == "push(count=2)"
    assert record["search"]["space"] == {"across": "-1..1 linear"}
    assert record["search"]["best"].startswith("push(count=2,across=")
    assert record["search"]["trials"] == len(record["tried"]) == 3
    assert {"search", "push"} <= {plugin.name for plugin in report.provenance.plugins}


# ---- again -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_the_same_seed_gives_the_same_trials(registry, sampler):
    assert told(found(sampler=sampler)) == told(found(sampler=sampler))
    assert told(found(sampler=sampler)) != told(found(sampler=sampler, seed=1))


def test_the_outcome_depends_on_what_is_proposed_together(registry, monkeypatch):
    """... and not on who works on it: here later trials of a group are done first, and told first."""

    def backwards(self, jobs):
        for place in reversed(range(len(jobs))):
            yield place, jobs[place].run()

    straight = told(found(trials=20, together=4))
    assert straight != told(found(trials=20))
    monkeypatch.setattr(_search_work._Here, "run", backwards)
    assert told(found(trials=20, together=4)) == straight


@pytest.mark.parametrize("stop", [3, 13, 14])
def test_a_search_goes_on_where_it_was_stopped(registry, tmp_path, monkeypatch, stop):
    storage, true, done = str(tmp_path / "trials.log"), _search_work.Job.run, []

    def stopped(job):
        done.append(job.spec)
        if len(done) == stop:
            raise KeyboardInterrupt
        return true(job)

    whole = told(found(trials=16, together=4))
    monkeypatch.setattr(_search_work.Job, "run", stopped)
    with pytest.raises(KeyboardInterrupt):
        found(trials=16, together=4, storage=storage)
    resumed = found(trials=16, together=4, storage=storage)
    assert told(resumed) == whole
    assert resumed.search.resumed == stop - 1
    best_again = int(resumed.search.best in done[: stop - 1])  # its attacker is found anew from its settings
    assert len(done) == 17 + best_again
    assert told(found(trials=16, together=4, storage=storage)) == whole
    more = found(trials=20, together=4, storage=storage)
    assert told(more)[0][:16] == whole[0]
    assert told(more) == told(found(trials=20, together=4))


def test_another_search_in_the_same_file_is_another(registry, tmp_path):
    storage = str(tmp_path / "trials.log")
    assert found(trials=3, storage=storage).search.resumed == 0
    assert found(trials=3, storage=storage, over="across=0..1").search.resumed == 0
    assert found(trials=3, storage=storage, episodes=5).search.resumed == 0
    assert found(trials=3, storage=storage).search.resumed == 3


def test_the_number_of_workers_and_trials_leaves_the_chance_alone():
    search = SettingsSearch(of="mad")
    specs = ["search(of=mad,trials=5,workers=2,storage=/x)", "search(of=mad,trials=9)", "search(of=mad)"]
    assert len({search.chance(0, spec).random() for spec in specs}) == 1
    assert search.chance(0, "search(of=pgd)").random() != search.chance(0, "search(of=mad)").random()
    mad = default_registry().create("oracle", "mad")
    assert mad.chance(3, "mad(steps=5)").random() == stream(3, "oracle", "mad(steps=5)").random()


# ---- elsewhere -------------------------------------------------------------------------------------------------------


def test_a_damaged_storage_is_one_line(tmp_path):
    with pytest.raises(RequestError, match="folder that exists"):
        found("mad", "steps=1..2", storage=str(tmp_path / "none" / "trials.log"))
    (tmp_path / "other").write_text("no journal\n")
    with pytest.raises(RequestError, match="is no journal"):
        found("mad", "steps=1..2", storage=str(tmp_path / "other"))


def test_without_optuna_it_says_what_to_install(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(_search_study.importlib, "import_module", missing)
    with pytest.raises(RequestError, match=r"pip install 'sparring\[search\]'"):
        found("mad", "steps=1..2")


def test_worker_processes_find_the_same():
    pytest.importorskip("torch")
    options = {"of": "pgd", "over": "steps=1..9", "trials": 3, "together": 3}
    assert told(found(workers=2, **options)) == told(found(**options))


class Fatal(Push):
    """Ends its process."""

    def attack(self, duel, victim, *, effort, rng):
        os._exit(3)


def test_a_worker_that_dies_is_one_line():
    job = _search_work.Job.of(Fatal(), "fatal", Yardstick(duel_of(), Tracker(), 2, 0), None, 0)
    with (
        pytest.raises(SparringError, match="a worker process ended; run it again"),
        _search_work.workers_for(2, "") as workers,
    ):
        list(workers.run([job, job]))


class Quick(Push):
    """Says when it is done."""

    def attack(self, duel, victim, *, effort, rng):
        found = super().attack(duel, victim, effort=effort, rng=rng)
        Path(os.environ["SPARRING_TEST_MARK"]).touch()
        return found


class Killed(Push):
    """Is killed when the other has long finished."""

    def attack(self, duel, victim, *, effort, rng):
        while not Path(os.environ["SPARRING_TEST_MARK"]).exists():
            time.sleep(0.05)
        time.sleep(1.5)
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_others_have_found_is_kept_when_a_worker_is_killed(tmp_path, monkeypatch):
    """Were it given in the order of the trials, the second outcome would be lost with the first, and made again."""
    monkeypatch.setenv("SPARRING_TEST_MARK", str(tmp_path / "mark"))
    yardstick = Yardstick(duel_of(), Tracker(), 2, 0)
    jobs = [_search_work.Job.of(oracle, oracle.name, yardstick, None, 0) for oracle in (Killed(), Quick())]
    kept = []
    with _search_work.workers_for(2, "") as workers, pytest.raises(SparringError, match="run it again, with storage"):
        kept.extend(workers.run(jobs))
    ((place, candidate),) = kept
    assert place == 1
    assert candidate.tried.value == jobs[1].run().tried.value


def test_what_workers_cannot_be_sent_is_refused():
    class Local(Constant):
        pass

    job = _search_work.Job.of(Local([0.0]), "local", None, None, 0)
    with pytest.raises(RefusedError, match="use workers=1"):
        _search_work._packed(job)


def test_no_cluster_is_one_line():
    pytest.importorskip("ray")
    with pytest.raises(SparringError, match="no Ray cluster"):
        found("mad", "steps=1..2", ray="nowhere")


@pytest.mark.xdist_group("ray")
def test_a_ray_cluster_finds_the_same(monkeypatch):
    """Two nodes on this machine, one processor each."""
    pytest.importorskip("ray")
    pytest.importorskip("torch")
    import warnings
    from pathlib import Path

    from ray.cluster_utils import Cluster

    # Nodes start elsewhere, without the folder that the tests' own modules are imported from.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    monkeypatch.setenv("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        try:
            cluster.add_node(num_cpus=1)
            options = {"of": "pgd", "over": "steps=1..9", "trials": 4}
            finding = found(ray=cluster.address, **options)
        finally:
            cluster.shutdown()
    assert finding.search.together == 2
    assert told(finding) == told(found(together=2, **options))
