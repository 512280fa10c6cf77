"""Options of games: what a source declares of them, held against what was asked for."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from sparring.errors import RequestError
from sparring.game import Game
from sparring.plugin import first_fault
from sparring.source import GameSource
from sparring.specs import Scalar

__all__ = ["legal_options", "load_from"]


def load_from(source: GameSource, name: str, options: Mapping[str, Scalar]) -> Game:
    """Make a game of a source, once the options are seen to be legal.

    Raises:
        RequestError: no such game, or an option that it does not have or that has an illegal value.
    """
    return source.load(name, legal_options(source, name, options))


def legal_options(source: GameSource, name: str, options: Mapping[str, Scalar]) -> dict[str, Scalar]:
    """The options as `load` is to have them: of their declared types, in the order in which they were given.

    Raises:
        RequestError: one does not exist, or its value is illegal; the line names the nearest legal choice.
    """
    declared = source.game_options(name) if options else None
    if declared is None:
        return dict(options)
    try:
        checked = declared.model_validate(dict(options)).model_dump()
    except ValidationError as error:
        raise RequestError(f"{source.name}:{name}: {first_fault(error, declared)}") from None
    return {option: checked[option] for option in options}
