"""The one door to OpenSpiel: import it when first needed, load and check a game, reword its complaints."""

from __future__ import annotations

import contextlib
import importlib
import os
import re
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

from sparring.errors import MissingError, RequestError

__all__ = ["check_game", "engine", "engine_faults", "load_engine_game", "one_line"]

_STDERR = 2


def engine() -> ModuleType:
    """Import pyspiel.

    Raises:
        RequestError: OpenSpiel is not installed.
    """
    try:
        return importlib.import_module("pyspiel")
    except ImportError as error:
        raise MissingError(
            f"OpenSpiel games need the package open_spiel ({error}): pip install 'sparring[openspiel]'"
        ) from error


def load_engine_game(spec: str, name: str, parameters: Mapping[str, Any]) -> Any:
    """Load a game and check that it can be compiled; simultaneous moves become successive hidden ones.

    Args:
        spec: what the user wrote, for messages.
        name: registered short name.
        parameters: values of the types that the game declares; nested games as mappings with a "name".

    Raises:
        RequestError: OpenSpiel refuses the parameters, or the game is not one that can be compiled.
    """
    spiel = engine()
    with engine_faults(spec, "cannot be loaded"), _engine_silenced():
        game = spiel.load_game(name, dict(parameters))
        check_game(spec, game)
        if game.get_type().dynamics == spiel.GameType.Dynamics.SIMULTANEOUS:
            game = spiel.convert_to_turn_based(game)
    return game


def check_game(spec: str, game: Any) -> None:
    """Refuse what has no finite two-player tree of information states.

    Raises:
        RequestError: mean-field game, not two players, sampled chance, or no information-state strings.
    """
    kinds = engine().GameType
    kind = game.get_type()
    seats = game.num_players()
    if kind.dynamics == kinds.Dynamics.MEAN_FIELD:
        raise RequestError(f"{spec}: a mean-field game has a population, not two players; choose a two-player game")
    if seats != 2:
        remedy = ", try players=2" if kind.min_num_players <= 2 <= kind.max_num_players else ""
        raise RequestError(f"{spec}: has {seats} player{'s' * (seats != 1)}, two are needed{remedy}")
    if kind.chance_mode == kinds.ChanceMode.SAMPLED_STOCHASTIC:
        raise RequestError(
            f"{spec}: draws its chance outcomes itself (sampled stochastic), so its tree cannot be listed; "
            "choose a game with deterministic or explicit stochastic chance"
        )
    if not kind.provides_information_state_string:
        raise RequestError(
            f"{spec}: provides no information-state string, so its information sets cannot be told apart; "
            "choose a game whose type provides one"
        )


@contextlib.contextmanager
def engine_faults(spec: str, what: str) -> Iterator[None]:
    """Turn what OpenSpiel (or a game written in Python for it) raises into one line.

    Raises:
        RequestError: in place of SpielError, ValueError, RuntimeError, OverflowError and MemoryError.
    """
    faults = (engine().SpielError, ValueError, RuntimeError, OverflowError, MemoryError)
    try:
        yield
    except faults as error:
        raise RequestError(f"{spec}: {what}: OpenSpiel says: {one_line(error)}") from error


def one_line(error: BaseException, *, limit: int = 240) -> str:
    """Return the error's message without the engine's source positions and line breaks."""
    text = re.sub(r"\S+\.(?:cc|h):\d+ ", "", str(error)) or type(error).__name__
    text = "; ".join(line.strip() for line in text.splitlines() if line.strip())
    return text if len(text) <= limit else text[: limit - 4] + " ..."


@contextlib.contextmanager
def _engine_silenced() -> Iterator[None]:
    """Keep the engine's own print of a fault, which comes from C++, away from the user's one line."""
    try:
        saved = os.dup(_STDERR)
    except OSError:  # standard error is closed: nothing to keep quiet
        yield
        return
    try:
        with open(os.devnull, "wb") as void:
            os.dup2(void.fileno(), _STDERR)
        yield
    finally:
        os.dup2(saved, _STDERR)
        os.close(saved)
