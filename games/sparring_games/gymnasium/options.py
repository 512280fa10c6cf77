"""Options of environments: the families' own, and what an environment's maker says that it takes."""

from __future__ import annotations

import importlib
import inspect
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import ConfigDict, Field, create_model

from sparring.errors import RequestError
from sparring.plugin import PluginOptions, unit
from sparring.specs import Scalar
from sparring_games.gymnasium.engine import engine, known_ids, with_atari

__all__ = ["AleOptions", "GymOptions", "parameters_of", "with_those_of"]

FIXED = ("game", "self", "args", "kwargs", "model_path", "observation_space")
"""What an environment's maker takes and a user does not give."""
DRAWING = (
    "render_mode", "camera_id", "camera_name", "default_camera_config", "width", "height", "max_geom", "visual_options",
    "sound_obs",
)  # fmt: skip
"""What is for people to see or hear."""
PLAIN = (bool, int, float, str)
STANDARD = "under preprocessing=standard"


class _More(PluginOptions):
    """What else is given goes to the environment."""

    model_config = ConfigDict(extra="allow")


class GymOptions(PluginOptions):
    """Of every environment; `with_those_of` adds what one takes besides."""

    masses: Literal["modern", "legacy"] = Field(
        "modern", description="capsules of MuJoCo's robots as they weigh now, or in the simulator of older agents"
    )
    max_episode_steps: int | None = Field(
        None, ge=1, description="after which an episode is cut; as registered if none", json_schema_extra=unit("steps")
    )


class AleOptions(PluginOptions):
    """Of every Atari game; `with_those_of` adds the emulator's."""

    preprocessing: Literal["standard", "crop80", "raw"] = Field(
        "standard", description="what the agent sees: stacked grey frames, one cropped grey frame, or the screen"
    )
    noop_max: int = Field(
        30, ge=0, description=f"idle steps before an episode, {STANDARD}", json_schema_extra=unit("steps")
    )
    frame_skip: int = Field(4, ge=1, description=f"an action lasts, {STANDARD}", json_schema_extra=unit("frames"))
    size: int = Field(84, ge=1, description=f"of a side of a frame, {STANDARD}", json_schema_extra=unit("pixels"))
    stack: int = Field(4, ge=1, description=f"that are seen at once, {STANDARD}", json_schema_extra=unit("frames"))
    repeat_action_probability: float = Field(
        0.25, ge=0, le=1, description="that the emulator does the last action again"
    )
    terminal_on_life_loss: bool = Field(False, description=f"whether a lost life ends an episode, {STANDARD}")
    scaled: bool = Field(False, description=f"whether pixels go from 0 to 1 instead of 255, {STANDARD}")
    max_episode_steps: int | None = Field(
        None, ge=1, description="after which an episode is cut; as registered if none", json_schema_extra=unit("steps")
    )


def with_those_of(identifier: str, own: type[PluginOptions]) -> type[PluginOptions]:
    """A family's own options and those of one environment, or any others where it cannot be looked at here.

    Args:
        identifier: Gymnasium's id; nothing is imported for one that names a module.
        own: the family's own options.
    """
    try:
        taken = {} if ":" in identifier else _taken(identifier)
    except (RequestError, ImportError):  # what is missing `load` says better
        taken = {}
    if not taken:
        return create_model(own.__name__, __base__=(own, _More))
    fields: dict[str, Any] = {name: told for name, told in taken.items() if name not in own.model_fields}
    return create_model(own.__name__, __base__=own, **fields)


def _taken(identifier: str) -> dict[str, tuple[Any, Any]]:
    """Type and field of each option of a registered environment; none where it may take any, or is not registered."""
    if identifier.startswith("ALE/"):
        with_atari(identifier)
    if identifier not in known_ids():
        return {}
    registered = engine().spec(identifier)
    if all(_takes_any(maker) for maker in _makers(registered)):
        return {}
    return {
        name: _field(annotation, registered.kwargs.get(name, default))
        for name, (annotation, default) in parameters_of(registered)
    }


def _field(annotation: Any, default: Any) -> tuple[Any, Any]:
    """Type and field; what is no single number, truth or text goes to the environment as it was given."""
    kind = annotation if annotation in PLAIN else Scalar
    if annotation is None and isinstance(default, bool | float | str):  # a whole number may stand for any
        kind = type(default)
    usual = None if default is inspect.Parameter.empty else default
    shown = usual if usual is None or isinstance(usual, PLAIN) else str(usual)
    return kind, Field(shown, description="the environment's own")


def parameters_of(registered: Any) -> Iterator[tuple[str, tuple[Any, Any]]]:
    """Name, type and default of the options that an environment's class, or those it derives from, takes."""
    found = {name: told for maker in reversed(_makers(registered)) for name, told in _signature(maker).items()}
    yield from ((name, found[name]) for name in sorted(found) if name not in {*FIXED, *DRAWING})


def _makers(registered: Any) -> list[Any]:
    """What takes an environment's options: its constructors, its own first, or the function that makes it."""
    registration: Any = importlib.import_module("gymnasium.envs.registration")
    creator = registered.entry_point
    made: Any = registration.load_env_creator(creator) if isinstance(creator, str) else creator
    if not inspect.isclass(made):
        return [made]
    homes = [home for home in made.__mro__[:-1] if not home.__module__.startswith("gymnasium.utils")]
    return [vars(home)["__init__"] for home in homes if "__init__" in vars(home)]


def _takes_any(maker: Any) -> bool:
    kinds = {told.kind for told in inspect.signature(maker).parameters.values()}
    return inspect.Parameter.VAR_KEYWORD in kinds


def _signature(maker: Any) -> Mapping[str, tuple[Any, Any]]:
    try:
        types = typing.get_type_hints(maker)
    except (NameError, TypeError):  # annotations that hold only where types are checked
        types = {}
    return {name: (types.get(name), told.default) for name, told in inspect.signature(maker).parameters.items()}
