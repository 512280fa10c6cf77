"""Checks of the options that a game source declares of its games."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import numpy as np

from sparring.errors import RefusedError, RequestError
from sparring.extensive.game import ExtensiveGame
from sparring.game import Game
from sparring.game_options import legal_options, load_from
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.option_fields import option_fields
from sparring.plugin import PluginOptions
from sparring.sameness import fingerprint
from sparring.simulated.game import SimulatedGame
from sparring.specs import Scalar, parse
from sparring.testing.check import CheckSkipped
from sparring.testing.declaring import illegal_settings
from sparring.testing.games import GameBench
from sparring.testing.subject import extremes_of
from sparring.testing.worlds import actions_for

__all__ = ["options_are_as_declared"]

REMEDY = "say in game_options what load takes: types, ranges and the defaults that it works with"
STEPS = 5


def options_are_as_declared(bench: GameBench) -> None:
    """Options of games are described, defaults are those that load works with, and their ranges are its ranges."""
    looked = False
    shown = {parse(setting.label).name: dict(parse(setting.label).options) for setting in bench.settings()}
    for name in dict.fromkeys([*shown, *bench.source.catalogue()]):
        options = bench.source.game_options(name)
        if options is None:
            continue
        looked = True
        fault = _undescribed(options) or _accepted(bench, name, options)
        fault = fault or (_otherwise(bench, name, shown[name], options) if name in shown else "")
        if fault:
            raise bench.subject.failure(fault, REMEDY, name)
    if not looked:
        raise CheckSkipped("it declares no options of its games (game_options)")


def _undescribed(options: type[PluginOptions]) -> str:
    bare = [name for name, field in options.model_fields.items() if not field.description]
    return f"option {bare[0]!r} has no description" if bare else ""


def _accepted(bench: GameBench, name: str, options: type[PluginOptions]) -> str:
    """What it should refuse and does not."""
    open_ended = options.model_config.get("extra") == "allow"
    for option, value in illegal_settings(options):
        if open_ended and option not in options.model_fields:
            continue
        given: dict[str, Any] = {**_needed(options), option: value}
        try:
            legal_options(bench.source, name, given)
        except RequestError:
            continue
        return f"the option {option}={value!r} is accepted"
    return ""


def _needed(options: type[PluginOptions]) -> dict[str, Any]:
    """Something for options that have no default, so that another one is seen to be refused."""
    return {name: "" for name, field in options.model_fields.items() if field.is_required()}


def _otherwise(bench: GameBench, name: str, given: dict[str, Scalar], options: type[PluginOptions]) -> str:
    """How games differ from what is declared; nothing where the game does not load without more words."""
    bare = _loaded(bench, name, {})
    given = {} if isinstance(bare, Game) else given
    usual = _loaded(bench, name, given) if given else bare
    if isinstance(usual, RequestError):
        return ""
    usually = {option: told.get("default") for option, told in option_fields(options).items() if option not in given}
    defaults = [{option: value} for option, value in usually.items() if isinstance(value, bool | int | float | str)]
    ends = [setting for setting in extremes_of(options) if not setting.keys() & given.keys()]
    for setting in [*defaults, *ends]:
        found = _loaded(bench, name, {**given, **setting})
        if isinstance(found, RequestError):
            if not given and not isinstance(found, RefusedError):  # what is legal alone may not go with other options
                return f"it refuses {setting}, which it declares to be legal: {found}"
        elif setting in defaults and _content(found) != _content(usual):
            return f"with {setting}, which it declares to be the default, it loads another game than without"
    return ""


def _loaded(bench: GameBench, name: str, options: dict[str, Any]) -> Game | RequestError:
    try:
        return load_from(bench.source, name, options)
    except RequestError as error:
        return error


def _content(game: Game) -> object:
    """What makes up a game, without the texts that it was asked for by; of a simulated one, how its episodes go."""
    if not isinstance(game, SimulatedGame):
        forms = [base for base in (MatrixGame, MarkovGame, ExtensiveGame) if isinstance(game, base)]
        own = [field.name for base in forms for field in fields(base) if field.name != "spec"]
        return fingerprint([getattr(game, name) for name in own])
    world = game.world(1)
    try:
        seen = [world.reset([5])]
        for actions in actions_for(game.action, STEPS, 1):
            step = world.step(actions)
            seen += [step.observations, step.rewards]
    finally:
        world.close()
    return fingerprint((game.observation, game.action, game.time_limit, [np.array(each) for each in seen]))
