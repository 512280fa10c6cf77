"""Budgets: kinds, units and legal ranges."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sparring.budgets import FORCE_BOUND, GRAPH_RADIUS, KINDS, LP_RADIUS, MIXING_PROBABILITY, Charge
from sparring.errors import RequestError


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (MIXING_PROBABILITY, 0),
        (MIXING_PROBABILITY, 1),
        (MIXING_PROBABILITY, 0.3),
        (GRAPH_RADIUS, 0),
        (GRAPH_RADIUS, 3),
        (GRAPH_RADIUS, 2.0),
        (LP_RADIUS, 8 / 255),
        (LP_RADIUS, 1e6),
        (FORCE_BOUND, 250.0),
    ],
)
def test_a_legal_value_makes_a_budget(kind, value):
    budget = kind.budget(value)
    assert budget.kind is kind
    assert budget.value == value
    assert type(budget.value) is float
    assert budget.zero is (value == 0)


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, -1, -1e-12, True, False, "0.3", None, 1j, [0.3]])
def test_no_kind_takes_what_is_no_size(kind, value):
    with pytest.raises(RequestError) as caught:
        kind.budget(value)
    line = str(caught.value)
    assert kind.name in line
    assert kind.legal in line
    assert kind.unit in line
    assert "\n" not in line


@pytest.mark.parametrize(
    ("kind", "value"), [(MIXING_PROBABILITY, 1.0000001), (MIXING_PROBABILITY, 2), (GRAPH_RADIUS, 0.5)]
)
def test_each_kind_has_its_range(kind, value):
    with pytest.raises(RequestError, match=kind.legal):
        kind.budget(value)


@given(st.floats())
def test_a_mixing_probability_is_a_probability(value):
    if 0 <= value <= 1:
        assert MIXING_PROBABILITY.budget(value).value == value
    else:
        with pytest.raises(RequestError, match="from 0 to 1"):
            MIXING_PROBABILITY.budget(value)


def test_kinds_say_what_they_are():
    assert MIXING_PROBABILITY.legal == "a number from 0 to 1"
    assert GRAPH_RADIUS.legal == "a whole number from 0"
    assert LP_RADIUS.legal == "a number from 0"
    assert MIXING_PROBABILITY.charge is Charge.MIX
    assert {kind.charge for name, kind in KINDS.items() if name != "mixing-probability"} == {Charge.SIZE}
    assert all(kind.unit for kind in KINDS.values())
    assert [kind.name for kind in KINDS.values()] == list(KINDS)
