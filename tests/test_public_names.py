"""The public names of `sparring` are what they say, in whatever order modules are imported."""

from __future__ import annotations

import importlib.util

import pytest

import sparring


@pytest.mark.parametrize("name", sparring.__all__)
def test_no_submodule_can_take_the_place_of_a_public_name(name):
    # Importing `sparring.solve` would make the attribute `solve` of the package that module, and not the function.
    assert importlib.util.find_spec(f"sparring.{name}") is None
    assert callable(getattr(sparring, name))
    assert getattr(sparring, name).__doc__


def test_a_name_that_there_is_not_is_missed_as_usual():
    assert dir(sparring) == sorted(sparring.__all__)
    with pytest.raises(AttributeError, match="no attribute 'atack'"):
        sparring.atack  # noqa: B018  # looking is what fails
