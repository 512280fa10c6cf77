"""Specs: what parses, what is refused, and that the canonical text parses to the same again."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sparring.errors import RequestError, nearest
from sparring.specs import Spec, parse


@pytest.mark.parametrize(
    ("text", "family", "name", "options"),
    [
        ("kuhn_poker", None, "kuhn_poker", {}),
        (" kuhn_poker ", None, "kuhn_poker", {}),
        ("matrix:rock-paper-scissors", "matrix", "rock-paper-scissors", {}),
        ("cfr+", None, "cfr+", {}),
        ("gym:Hopper-v5", "gym", "Hopper-v5", {}),
        ("pgd(steps=20)", None, "pgd", {"steps": 20}),
        ("pgd()", None, "pgd", {}),
        (
            "x(a=1, b=-2.5, c=true, d=False, e=text)",
            None,
            "x",
            {"a": 1, "b": -2.5, "c": True, "d": False, "e": "text"},
        ),
        ("x(a='1', b=\"a, b\")", None, "x", {"a": "1", "b": "a, b"}),
        ("x(a=1e-3)", None, "x", {"a": 1e-3}),
        (
            "openspiel:turn(game=goofspiel(num_cards=4,points_order=descending))",
            "openspiel",
            "turn",
            {"game": "goofspiel(num_cards=4,points_order=descending)"},
        ),
        ("markov:file(path=/a/b=c.npz)", "markov", "file", {"path": "/a/b=c.npz"}),
        ("matrix:./payoffs.csv", "matrix", "./payoffs.csv", {}),
        ("file:/with spaces, (and more)/x=1.json", "file", "/with spaces, (and more)/x=1.json", {}),
        ("run:out/kuhn", "run", "out/kuhn", {}),
        ("solved:cfr+(iterations=5)", "solved", "cfr+", {"iterations": 5}),
    ],
)
def test_a_spec_parses(text, family, name, options):
    spec = parse(text)
    assert spec == Spec(family, name, options)
    assert [type(value) for value in spec.options.values()] == [type(value) for value in options.values()]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "is no name"),
        ("   ", "is no name"),
        ("a b", "is no name"),
        (":name", "is no name"),
        ("family:", "is no name"),
        ("file:", "file:PATH"),
        ("x(a=1", "not closed"),
        ("x(a=1)b", "not closed"),
        ("x(a=(1)", "not balanced"),
        ("x(a=1)(b=2)", "not balanced"),
        ("x(a='1)", "not balanced"),
        ("x(a)", "no option"),
        ("x(=1)", "no option"),
        ("x(a=1,a=2)", "given twice"),
        ("-x", "is no name"),
    ],
)
def test_a_malformed_spec_is_refused(text, word):
    with pytest.raises(RequestError, match="spec ") as caught:
        parse(text)
    assert word in str(caught.value)
    assert "\n" not in str(caught.value)


NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,8}", fullmatch=True)
KEYS = st.from_regex(r"[a-z_]{1,6}", fullmatch=True)
TEXTS = st.one_of(st.text(st.sampled_from(f"ab1.,=:{quote} -+/_e"), max_size=8) for quote in "'\"")
VALUES = st.one_of(
    st.booleans(), st.integers(-(10**6), 10**6), st.floats(allow_nan=False), TEXTS, st.sampled_from(["true", "1_0"])
)


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.one_of(st.none(), NAMES), NAMES, st.dictionaries(KEYS, VALUES, max_size=3))
def test_the_canonical_text_parses_to_the_same(family, name, options):
    if family in ("file", "sb3", "run", "python"):
        family = None
    spec = Spec(family, name, options)
    again = parse(str(spec))
    assert again == spec
    assert [type(value) for value in again.options.values()] == [type(value) for value in options.values()]


def test_nearest_says_what_was_meant_or_what_there_is():
    assert nearest("partial-contol", ["partial-control", "action"]) == "did you mean 'partial-control'?"
    assert nearest("zzz", ["b", "a"]) == "choose from: a, b"
    assert nearest("zzz", []) == "there is none"
    assert nearest("zzz", [str(number) for number in range(20)]).endswith(", ...")
