"""All that makes one environment, as a value that can be sent to a worker process."""

from __future__ import annotations

import ast
import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sparring.errors import RequestError, nearest
from sparring.specs import Scalar
from sparring.trust import import_trusted
from sparring_games.gymnasium.atari import View
from sparring_games.gymnasium.complaints import listen
from sparring_games.gymnasium.engine import engine, engine_faults, known_ids, nearest_ids, with_atari
from sparring_games.gymnasium.masses import write_legacy_masses
from sparring_games.gymnasium.options import DRAWING, FIXED, parameters_of

__all__ = ["OWN_OPTIONS", "Recipe", "environment_options"]

OWN_OPTIONS = ("masses", "max_episode_steps")
"""Options of the family; all others go to the environment."""
FRAMES = 108_000
"""Frames after which the Arcade Learning Environment cuts an episode unless told otherwise."""


@dataclass(frozen=True)
class Recipe:
    """How to make one environment."""

    spec: str
    """For messages."""
    identifier: str
    """Gymnasium's id."""
    options: tuple[tuple[str, Any], ...] = ()
    max_steps: int | None = None
    """Steps after which an episode is cut; None for what the registration says."""
    masses: Literal["modern", "legacy"] = "modern"
    view: View | None = None
    """For Atari games."""

    def make(self) -> Any:
        """Make the environment, wrapped in its view and its time limit alone.

        Raises:
            RequestError: unknown id or option, a missing package, or whatever the environment says.
        """
        gymnasium = with_atari(self.spec) if self._atari else engine()
        self._check_known()
        with engine_faults(self.spec):
            if "mujoco" in str(engine().spec(self._name).entry_point):
                listen()
            made = self._game() if self._atari else self._made(dict(self.options))
            if self.masses == "legacy":
                write_legacy_masses(made, self.spec)
            seen = made if self.view is None else self.view.wrap(made, self.spec)
            limit = self._registered_limit() if self.max_steps is None else self.max_steps
            return seen if limit is None else gymnasium.wrappers.TimeLimit(seen, limit)

    def time_limit(self) -> int | None:
        """Steps after which an episode is cut, whoever cuts it."""
        limit = self._registered_limit() if self.max_steps is None else self.max_steps
        if not self.identifier.startswith("ALE/"):
            return limit
        given = dict(self.options)
        skip = given.get("frameskip", 4) if self.view is None or self.view.name != "standard" else self.view.frame_skip
        frames = int(given.get("max_num_frames_per_episode", FRAMES))
        engines = -(-frames // int(skip if isinstance(skip, int) else skip[0]))
        return engines if limit is None else min(limit, engines)

    @property
    def _name(self) -> str:
        """The id, without the module that registers it."""
        return self.identifier.rpartition(":")[2]

    @property
    def _atari(self) -> bool:
        return self.identifier.startswith("ALE/")

    def _made(self, options: dict[str, Any]) -> Any:
        try:
            made = engine().make(self._name, max_episode_steps=-1, disable_env_checker=True, **options)
            # Worlds reset before they step; a wrapper that watches over it takes a few percent of a robot's step.
            return made.env if type(made).__name__ == "OrderEnforcing" else made
        except TypeError as error:
            raise self._misfit(error) from error

    def _game(self) -> Any:
        """An Atari game; where actions are held by chance, that is done outside of the emulator."""
        options = dict(self.options)
        usual = engine().spec(self._name).kwargs
        probability = float(options.get("repeat_action_probability", usual["repeat_action_probability"]))
        if probability == 0.0:
            return self._made(options)
        from sparring_games.gymnasium._held_actions import HeldActions

        frames = options.get("frameskip", usual["frameskip"])
        made = self._made(options | {"repeat_action_probability": 0.0, "frameskip": 1})
        return HeldActions(made, probability, frames)

    def _check_known(self) -> None:
        module, colon, _ = self.identifier.rpartition(":")
        if colon:
            import_trusted(module, self.spec, f"the module {module!r} is imported, to register its environments")
        if self._name not in known_ids():
            with contextlib.suppress(RequestError):  # without ale-py there are just fewer environments
                with_atari(self.spec)
        known = known_ids()
        if self._name not in known:
            name, whole = self._name, "gym:ALE/" not in self.spec and self._atari
            if whole:
                name, known = _short(name), [_short(each) for each in known if each.startswith("ALE/")]
            raise RequestError(f"{self.spec}: there is no environment {name!r}; {nearest_ids(name, known)}")

    def _registered_limit(self) -> int | None:
        found: int | None = engine().spec(self._name).max_episode_steps
        return found

    def _misfit(self, error: TypeError) -> RequestError:
        """What to say where the environment does not take the options."""
        known = [name for name, _ in parameters_of(engine().spec(self._name))]
        for name, _ in self.options:
            if name not in known:
                own = [] if self._atari else OWN_OPTIONS
                return RequestError(f"{self.spec}: there is no option {name!r}; {nearest(name, [*known, *own])}")
        return RequestError(f"{self.spec}: an option does not fit: {' '.join(str(error).split())}")


def _short(identifier: str) -> str:
    """What the `ale` family calls an Atari game."""
    return identifier.removeprefix("ALE/").removesuffix("-v5")


def environment_options(spec: str, given: Mapping[str, Scalar]) -> tuple[tuple[str, Any], ...]:
    """Options for the environment; text such as `(2,5)` becomes the tuple it shows.

    Raises:
        RequestError: an option that is about drawing, or a list that is none of numbers.
    """
    for name in given:
        if name in FIXED:
            raise RequestError(f"{spec}: there is no option {name!r}; leave it out")
        if name in DRAWING:
            raise RequestError(f"{spec}: nothing is drawn here, leave {name} out")
    return tuple((name, _value(spec, name, value)) for name, value in sorted(given.items()))


def _value(spec: str, name: str, value: Scalar) -> Any:
    if not isinstance(value, str) or not value.startswith(("(", "[")):
        return value
    try:
        found = ast.literal_eval(value)
    except (ValueError, SyntaxError):
        found = None
    if not isinstance(found, tuple | list) or not all(isinstance(each, int | float) for each in found):
        raise RequestError(f"{spec}: {name}={value} is no list of numbers such as (2,5)")
    return tuple(found)
