"""The contract of a learner: it trains a policy of one side on a world, whoever stands behind that world."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np
from pydantic import ValidationError

from sparring.attack_game import StepInfo
from sparring.errors import MissingError, RefusedError, RequestError
from sparring.plugin import NoOptions, PluginOptions, first_fault
from sparring.policy import Policy
from sparring.registry import LEARNER, Entry, default_registry
from sparring.simulated.spaces import Space
from sparring.simulated.world import World
from sparring.specs import Scalar, parse
from sparring.taking_part import note

__all__ = ["DEFAULT", "Learner", "called", "door_of", "learner_of", "learners", "made_of"]

DEFAULT = "ppo"
"""What `direct` means on this form."""


@runtime_checkable
class Learner(Protocol):
    """Trains a policy by reinforcement. Rewards of the world are to be raised, whichever side it trains."""

    def start(self, observation: Space, action: Space, seed: int) -> Any:
        """A state that has learned nothing: all that it needs to go on, optimiser included.

        Raises:
            RequestError: spaces of other kinds than it can work with.
        """
        ...

    def update(
        self, state: Any, world: World, *, rate: float | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Any, StepInfo]:
        """Learn once.

        Args:
            state: left as it is, so that an interrupted update loses nothing.
            world: the view of one side, begun or set back (`World.load`) before it is stepped; episodes that end are
                begun anew right after that step.
            rate: how many times the learner's own step size; None for once.
            rng: all randomness, seeds of episodes among it.
        """
        ...

    def policy(self, state: Any) -> Policy:
        """A snapshot that acts (`sparring.acting.Acting`) and that later updates leave alone."""
        ...

    def restore(self, document: Mapping[str, Any]) -> Policy:
        """A policy again from what its `to_document` gave, bit for bit.

        Raises:
            RequestError: it is no document of this learner's policies.
        """
        ...

    def save(self, state: Any, path: Path) -> None:
        """Write a state so that it resumes exactly; the file is whole or absent."""
        ...

    def load(self, path: Path) -> Any:
        """Read a state that `save` wrote."""
        ...


def learners() -> list[str]:
    """Names of the learners at hand: those that are installed, and those of files given with `--plugin`."""
    return default_registry().names(LEARNER)


def learner_of(spec: str, where: str) -> Learner:
    """Make a learner from a spec such as `ppo(hidden=64)`; `direct` is the form's default.

    Args:
        spec: its name and options.
        where: the game, for messages.

    Raises:
        RefusedError: none is installed.
        RequestError: no such learner, or an option that it does not have.
        PluginError: it cannot be imported, or makes something else than a learner; the line names its distribution.
    """
    asked = parse(DEFAULT if spec == "direct" else spec)
    if not learners():
        raise RefusedError(f"learner {asked.name!r} on {where}: no learner is installed; install one, such as 'ppo'")
    entry = default_registry().find(LEARNER, asked.name, asked.family)
    made = made_of(entry, asked.options)
    note(LEARNER, f"{entry.distribution}:{entry.name}")
    return made


def made_of(entry: Entry, options: Mapping[str, Scalar]) -> Learner:
    """Make a learner from its announcement.

    Raises:
        RequestError: an option that it does not have, or an illegal value.
        PluginError: it cannot be imported, or makes something else than a learner; the line names its distribution.
    """
    made = called(door_of(entry), options, entry.name)
    if not isinstance(made, Learner):
        raise entry.fault(f"it makes {made!r}, expected a sparring.simulated.learner.Learner")
    return made


def called(make: Callable[..., object], options: Mapping[str, Scalar], name: str) -> object:
    """What a callable makes of options that are seen to be its own: those of its `Options`, or of its signature.

    Raises:
        RequestError: an option that it does not have, or an illegal value.
    """
    declared: type[PluginOptions] | None = getattr(make, "Options", None)
    try:
        if declared is not None:
            declared(**options)
        else:
            inspect.signature(make).bind(**options)
    except ValidationError as error:
        raise RequestError(f"learner {name}: {first_fault(error, declared or NoOptions)}") from None
    except TypeError as error:
        raise RequestError(f"learner {name}: {error}") from None
    return make(**options)


def door_of(entry: Entry) -> Callable[..., object]:
    """What makes a learner from its options.

    Raises:
        PluginError: it cannot be imported, or cannot be called.
    """
    try:
        make = entry.point.load()
    except MissingError:
        raise
    except Exception as error:
        raise entry.fault(f"its import fails with {type(error).__name__}: {error}") from error
    if not callable(make):
        raise entry.fault(f"it leads to {make!r}, expected a callable that makes a learner from its options")
    found: Callable[..., object] = make
    return found
