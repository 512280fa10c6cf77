"""Aggregates of returns, the table of episodes, and what the document says of them."""

from __future__ import annotations

import csv

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import sparring
from sparring import attack, evaluate
from sparring.errors import RequestError
from sparring.statistics import bootstrap, interquartile_mean
from tiny_world import LONGEST, SHORTEST, TinyGame, Tracker

RAW = "observation(space=raw)"


@pytest.fixture(scope="module")
def report():
    return evaluate(attack(TinyGame(), RAW, 0.4), Tracker(), oracles=["random"], episodes=40, seed=2)


def middle(scores):
    return np.asarray(np.median(scores, axis=-1))


# ---- aggregates ------------------------------------------------------------------------------------------------------


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=40))
@settings(max_examples=100, deadline=None)
def test_the_interquartile_mean_is_that_of_scipy(scores):
    from scipy.stats import trim_mean

    # scipy adds the kept numbers in another order
    assert float(interquartile_mean(np.array(scores))) == pytest.approx(trim_mean(scores, 0.25), rel=1e-9, abs=1e-6)


def test_the_interquartile_mean_leaves_out_a_quarter_at_each_end():
    assert interquartile_mean(np.array([1000.0, 1, 2, 3, 4, 5, 6, -1000])) == 3.5
    assert interquartile_mean(np.array([[0.0, 8], [2, 4]])).tolist() == [4, 3]


def test_intervals_hold_as_often_as_they_say():
    """The mean of 40 exponential numbers is 1; percentile intervals are known to fall a little short of 95%."""
    rng = np.random.default_rng(0)
    held = [bootstrap([rng.exponential(size=40)], lambda drawn: drawn.mean(axis=-1), rng, 400) for _ in range(400)]
    share = np.mean([low <= 1 <= high for low, high in (each.ci95 for each in held)])
    assert 0.89 < share < 0.97


def test_strata_are_drawn_from_alone():
    """Two tasks whose scores do not vary leave nothing to chance, however far they are apart."""
    apart = bootstrap([np.zeros(10), np.full(10, 100.0)], lambda drawn: drawn.mean(axis=-1), np.random.default_rng(0))
    assert (apart.value, apart.ci95) == (50, (50, 50))
    mixed = [np.concatenate([np.zeros(10), np.full(10, 100.0)])]
    low, high = bootstrap(mixed, lambda drawn: drawn.mean(axis=-1), np.random.default_rng(0)).ci95
    assert low < 40
    assert high > 60


def test_many_scores_are_drawn_part_by_part(monkeypatch):
    scores = [np.arange(50.0), np.arange(30.0)]
    whole = bootstrap(scores, middle, np.random.default_rng(0), 500)
    monkeypatch.setattr("sparring.statistics.NUMBERS", 1000)
    parts = bootstrap(scores, middle, np.random.default_rng(0), 500)
    assert parts.value == whole.value
    assert parts.ci95 == pytest.approx(whole.ci95, abs=2)


@pytest.mark.parametrize("strata", [[], [[]], [[1.0], []], [[[1.0]]]])
def test_a_stratum_without_scores_is_refused(strata):
    with pytest.raises(RequestError, match="one score or more"):
        bootstrap(strata, middle, np.random.default_rng(0))


# ---- the document ----------------------------------------------------------------------------------------------------


def test_the_document_says_what_the_returns_say_together(report):
    for record in (report.nominal, *report.attacks):
        told, returns = record.statistics, np.array(record.returns)
        assert told.mean.value == pytest.approx(record.value)
        assert told.median.value == np.median(returns)
        assert told.iqm.value == pytest.approx(np.sort(returns)[10:30].mean())
        for figure in (told.mean, told.median, told.iqm):
            assert figure.ci95[0] < figure.value < figure.ci95[1]
        assert told.mean.ci95 == pytest.approx(record.ci95, abs=0.3 * np.ptp(record.ci95))
        assert told.collapsed.value == np.mean(returns < told.collapsed.below)
    nominal = report.nominal.statistics
    assert nominal.collapsed.below == nominal.median.value - abs(nominal.median.value) / 2
    assert nominal.collapsed.rule == "half the median without attack"
    assert report.attacks[0].statistics.collapsed.below == nominal.collapsed.below


def test_the_threshold_of_a_collapse_can_be_given():
    duel = attack(TinyGame(), RAW, 0.4)
    found = evaluate(duel, Tracker(), oracles=["random"], episodes=6, collapse_below=1e9).attacks[0].statistics
    assert (found.collapsed.value, found.collapsed.ci95, found.collapsed.rule) == (1, (1, 1), "given")


def test_a_negative_median_collapses_downwards():
    """Half of a negative return is a better one: the threshold lies half its size below it instead."""
    record = sparring.evaluate(attack(TinyGame(), RAW, 0.4), Tracker(gain=-3.0), oracles=[], episodes=9, seed=1).nominal
    median = record.statistics.median.value
    below = record.statistics.collapsed.below
    assert below < median
    assert below == pytest.approx(median - abs(median) / 2)


# ---- one row an episode ----------------------------------------------------------------------------------------------


def test_one_row_an_episode(report):
    rows = report.to_rows()
    assert [row["oracle"] for row in rows] == ["no attack"] * 40 + ["random"] * 40
    assert list(rows[0]) == ["seed", "oracle", "return", "length", "truncated", "game", "victim", "threat", "budget"]
    duel = attack(TinyGame(), RAW, 0.4)
    for row in rows[:3]:  # a row names all that it takes to play its episode again
        again = duel.play(Tracker(), None, [row["seed"]])
        assert (row["return"], row["length"]) == (again.returns[0], again.lengths[0])
        assert SHORTEST <= row["length"] < LONGEST
        assert row["truncated"] is False
    assert rows[0]["seed"] == rows[40]["seed"]
    assert {row["budget"] for row in rows} == {0.4}


def test_rows_as_csv(report, tmp_path):
    report.save_returns(tmp_path / "rows.csv")
    with (tmp_path / "rows.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["return"]) for row in rows] == [row["return"] for row in report.to_rows()]
    assert rows[0]["truncated"] == "False"


def test_rows_as_parquet(report, tmp_path):
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    report.save_returns(tmp_path / "rows.parquet")
    table = parquet.read_table(tmp_path / "rows.parquet")
    assert table.to_pylist() == report.to_rows()
    assert str(table.schema.field("seed").type) == "int64"


def test_tables_that_cannot_be_written(report, tmp_path, monkeypatch):
    with pytest.raises(RequestError, match=r"'\.xls'; take \.csv or \.parquet"):
        report.save_returns(tmp_path / "rows.xls")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(RequestError, match=r"pip install 'sparring\[parquet\]'"):
        report.save_returns(tmp_path / "rows.parquet")
    exact = evaluate(attack("matrix:rock-paper-scissors"), "uniform")
    assert exact.to_rows() == []
    with pytest.raises(RequestError, match="values are exact"):
        exact.save_returns(tmp_path / "rows.csv")
    assert list(tmp_path.iterdir()) == []
