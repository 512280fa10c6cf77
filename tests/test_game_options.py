"""Options of games: the core validates what a source declares, `plugins info` shows it, older sources still load."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from pydantic import Field

import sparring
from broken_plugins import SoundSource
from sparring.cli import run
from sparring.errors import RequestError
from sparring.game_options import legal_options, load_from
from sparring.matrix.game import MatrixGame
from sparring.option_fields import option_fields
from sparring.plugin import NoOptions, PluginOptions, unit
from sparring.source import GameSource

needs_openspiel = pytest.mark.skipif(importlib.util.find_spec("pyspiel") is None, reason="needs open_spiel")
needs_gymnasium = pytest.mark.skipif(importlib.util.find_spec("gymnasium") is None, reason="needs gymnasium")


class Older(GameSource):
    """A source as written before options of games could be declared."""

    name = "older"
    summary = "a matrix game"

    def catalogue(self):
        return ("small",)

    def load(self, name, options):
        if set(options) - {"scale"}:
            raise RequestError("older: there is no such option")
        size = options.get("scale", 1)
        return MatrixGame("older:small", np.stack([np.eye(2) * size, -np.eye(2) * size]))


def test_a_source_that_declares_no_options_looks_at_them_itself():
    assert Older().game_options("small") is None
    assert load_from(Older(), "small", {"scale": 3}).payoff.max() == 3
    with pytest.raises(RequestError, match="older: there is no such option"):
        load_from(Older(), "small", {"other": 3})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"scal": 1}, "sound-source:small: there is no option 'scal'; did you mean 'scale'"),
        ({"scale": 0}, "sound-source:small: option scale = 0: Input should be greater than or equal to 1"),
        ({"scale": "two"}, "sound-source:small: option scale = 'two': Input should be a valid integer"),
    ],
)
def test_what_is_not_declared_never_reaches_load(given, words, monkeypatch):
    monkeypatch.setattr(SoundSource, "load", lambda *_: pytest.fail("load was called"))
    with pytest.raises(RequestError, match=words):
        load_from(SoundSource(), "small", given)


def test_options_arrive_typed_and_in_the_order_given():
    class Typed(PluginOptions):
        first: float = Field(1.0, description="a number")
        second: bool = Field(False, description="a truth")

    class Source(SoundSource):
        def game_options(self, name):
            return Typed

    told = legal_options(Source(), "small", {"second": True, "first": 2})
    assert list(told.items()) == [("second", True), ("first", 2.0)]
    assert type(told["first"]) is float
    assert (
        legal_options(Source(), "small", {}) == {}
    )  # defaults are for `load`, so that specs stay as they were written


def test_fields_follow_references_and_none():
    class Options(PluginOptions):
        count: int | None = Field(None, ge=2, description="how many", json_schema_extra=unit("steps"))

    (field,) = option_fields(Options).values()
    assert (field["type"], field["minimum"], field["unit"], field["default"]) == ("integer", 2, "steps", None)
    assert option_fields(NoOptions) == {}


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("markov:random-zero-sum(state=3)", "there is no option 'state'; did you mean 'states'"),
        ("markov:random-zero-sum(branching=0)", "option branching = 0: Input should be greater than or equal to 1"),
        ("markov:sa-toy(gamma=1)", "option gamma = 1: Input should be less than 1"),
        ("markov:./game.npz(path=other.npz)", "there is no option 'path'; there is none"),
        ("matrix:rock-paper-scissors(rounds=3)", "there is no option 'rounds'; there is none"),
        ("matrix:file(pth=a.csv)", "option path is missing; it is the file to read"),
    ],
)
def test_wrong_options_are_one_line_and_exit_2(spec, words, capsys):
    told = "--victim uniform --threat partial-control --budget 1 --oracle exact"
    assert run(["evaluate", spec, *told.split()]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert words in err


@needs_openspiel
def test_parameters_of_openspiel_are_typed(capsys):
    with pytest.raises(
        RequestError, match=r"openspiel:liars_dice: there is no option 'numdic'; did you mean 'numdice'"
    ):
        sparring.load_game("liars_dice(numdic=1)")
    with pytest.raises(RequestError, match=r"option numdice = 'x': Input should be a valid integer"):
        sparring.load_game("openspiel:liars_dice(numdice=x)")
    assert run(["plugins", "info", "openspiel:goofspiel"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "│ num_cards │ integer │ 4 │" in out  # our default, not OpenSpiel's 13
    assert "points_order │ string │ descending" in out


@needs_gymnasium
def test_options_of_environments_are_the_familys_and_their_own(capsys):
    found = sparring.load_game("gym:Pendulum-v1(g=9)")
    assert dict(found.recipe.options) == {"g": 9.0}
    with pytest.raises(RequestError, match=r"gym:Pendulum-v1: option g = 'heavy': Input should be a valid number"):
        sparring.load_game("gym:Pendulum-v1(g=heavy)")
    assert run(["plugins", "info", "gym:Pendulum-v1"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "│ g │ number │ 10.0 │" in out
    assert "masses │ choice │ modern │ modern, legacy" in out


@needs_gymnasium
def test_an_environment_that_takes_anything_is_asked_itself():
    import gymnasium

    from sparring_games.gymnasium.options import GymOptions, with_those_of

    gymnasium.register("Anything-v0", lambda size=1, **more: gymnasium.make("CartPole-v1"))
    try:
        options = with_those_of("Anything-v0", GymOptions)
        assert options(whatever=3).model_dump()["whatever"] == 3
        assert with_those_of("Nowhere-v0", GymOptions)(whatever=3).model_dump()["whatever"] == 3
        with pytest.raises(ValueError, match="modern"):
            options(masses="old")
    finally:
        del gymnasium.registry["Anything-v0"]


def test_info_shows_the_options_of_a_sources_games(capsys):
    assert run(["plugins", "info", "markov"]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "│ random-zero-sum │ branching │ integer │ none │ >= 1 │ states │" in out
    assert "│ sa-toy │ gamma │ number │ 0.99 │ >= 0, < 1 │ per step │" in out
    assert run(["plugins", "info", "matrix:matching-pennies"]) == 2
    assert "matrix:matching-pennies: no options are declared of it" in capsys.readouterr().err
