"""The contract of a learner: it trains a policy of one side on a world, whoever stands behind that world."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from sparring.attack_game import StepInfo
from sparring.errors import RefusedError, RequestError, nearest
from sparring.policy import Policy
from sparring.simulated.spaces import Space
from sparring.simulated.world import World
from sparring.specs import parse

__all__ = ["DEFAULT", "GROUP", "Learner", "learner_of", "learners"]

GROUP = "sparring.learners"
"""Entry points of learners; each leads to a callable that makes one from its options."""
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
    """Names of the learners that are installed."""
    return sorted({point.name for point in entry_points(group=GROUP)})


def learner_of(spec: str, where: str) -> Learner:
    """Make a learner from a spec such as `ppo(hidden=64)`; `direct` is the form's default.

    Args:
        spec: its name and options.
        where: the game, for messages.

    Raises:
        RefusedError: none is installed.
        RequestError: no such learner, or an option that it does not have.
    """
    asked = parse(DEFAULT if spec == "direct" else spec)
    known = {point.name: point for point in entry_points(group=GROUP)}
    if not known:
        raise RefusedError(f"learner {asked.name!r} on {where}: no learner is installed; install one, such as 'ppo'")
    if asked.name not in known:
        raise RequestError(f"unknown learner {asked.name!r}: {nearest(asked.name, known)}")
    made = known[asked.name].load()(**asked.options)
    if not isinstance(made, Learner):
        raise RequestError(f"learner {asked.name!r}: {type(made).__name__} is no sparring.simulated.learner.Learner")
    return made
