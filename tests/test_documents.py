"""Evaluation documents: they read back as they were written, and anything else is refused."""

from __future__ import annotations

import json

import pytest

import sparring
from sparring.document import Evaluation, read_evaluations
from sparring.errors import RequestError


@pytest.fixture(scope="module")
def report():
    duel = sparring.attack("matrix:rock-paper-scissors", "partial-control", 0.3, benign="uniform")
    return sparring.evaluate(duel, [0.5, 0.25, 0.25], oracles=["exact", "random(draws=3)"])


def test_a_written_document_reads_back_the_same(report, tmp_path):
    report.to_json(tmp_path / "a.json")
    assert Evaluation.from_json(tmp_path / "a.json") == report
    assert json.loads((tmp_path / "a.json").read_text()) == report.to_document()
    (tmp_path / "list.json").write_text(json.dumps([report.to_document()] * 2))
    assert read_evaluations(tmp_path / "list.json") == [report, report]


def test_fields_that_a_later_version_adds_are_kept(report, tmp_path):
    document = report.to_document() | {"novelty": [1]}
    document["victim"]["colour"] = "red"
    (tmp_path / "a.json").write_text(json.dumps(document))
    assert Evaluation.from_json(tmp_path / "a.json").to_document() == document


def test_an_evaluation_cannot_be_changed(report):
    with pytest.raises(ValueError, match="frozen"):
        report.gap = 0.0
    with pytest.raises(ValueError, match="frozen"):
        report.exploitability.lower = 0.0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "its schema is None"),
        ('"text"', "its schema is None"),
        ("{}", "its schema is None, expected 'sparring.evaluation/1'"),
        ('{"schema": "sparring.solution/1"}', "'sparring.solution/1'"),
        ('{"schema": "sparring.evaluation/2"}', "'sparring.evaluation/2'"),
        ('{"schema": "sparring.evaluation/1"}', "game: Field required"),
    ],
)
def test_what_is_no_evaluation_is_refused(tmp_path, text, words):
    path = tmp_path / "a.json"
    path.write_text(text)
    with pytest.raises(RequestError) as caught:
        read_evaluations(path)
    assert str(path) in str(caught.value)
    assert words in str(caught.value)


def test_files_that_cannot_be_read_are_refused(tmp_path):
    with pytest.raises(RequestError, match="No such file"):
        read_evaluations(tmp_path / "missing.json")
    with pytest.raises(RequestError, match="directory"):
        read_evaluations(tmp_path)
    (tmp_path / "latin.json").write_bytes(b'"\xff"')
    with pytest.raises(RequestError, match="not JSON"):
        read_evaluations(tmp_path / "latin.json")


def test_a_fault_inside_is_named_by_its_place(report, tmp_path):
    document = report.to_document()
    document["exploitability"]["lower"] = "high"
    (tmp_path / "a.json").write_text(json.dumps(document))
    with pytest.raises(RequestError, match=r"exploitability\.lower: "):
        read_evaluations(tmp_path / "a.json")


@pytest.mark.parametrize("count", [0, 2])
def test_one_evaluation_is_one(report, tmp_path, count):
    (tmp_path / "a.json").write_text(json.dumps([report.to_document()] * count))
    with pytest.raises(RequestError, match=f"holds {count} evaluations, expected 1"):
        Evaluation.from_json(tmp_path / "a.json")
