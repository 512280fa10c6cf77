"""A learner of numpy alone: it draws changes of a few weights and keeps what earns more in one batch of episodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.array_files import read_npz
from sparring.attack_game import StepInfo
from sparring.files import write_whole
from sparring.policy import Policy
from sparring.simulated.spaces import Box, Discrete, Space
from sparring.simulated.world import World
from sparring.streams import stream
from sparring.testing.steering import Steering

__all__ = ["Probed", "Probing"]

Floats = NDArray[np.float64]
REACH = 0.3


@dataclass(frozen=True, eq=False)
class Probed:
    """What was found so far."""

    weights: Floats
    """[outputs, features]."""
    choices: bool
    """Whether the greatest output is the action."""


class Probing:
    """Random search (Matyas 1965), one trial an update; enough to see that a solver's loop works."""

    def start(self, observation: Space, action: Space, seed: int) -> Probed:
        """Small random weights."""
        assert isinstance(observation, Box)
        choices = isinstance(action, Discrete)
        outputs = action.count if isinstance(action, Discrete) else int(np.prod(action.shape))
        features = int(np.prod(observation.shape))
        return Probed(0.1 * stream(seed, "probe").normal(size=(outputs, features)), choices)

    def update(
        self, state: Probed, world: World, *, rate: float | None = None, rng: np.random.Generator | None = None
    ) -> tuple[Probed, StepInfo]:
        """Try one change, on the same episodes as what there is."""
        chance = np.random.default_rng(0) if rng is None else rng
        tried = replace(state, weights=state.weights + (rate or REACH) * chance.normal(size=state.weights.shape))
        seeds = [int(seed) for seed in chance.integers(2**31, size=world.size)]
        (before, first), (after, second) = (self._earned(each, world, seeds) for each in (state, tried))
        return (tried if after > before else state), StepInfo(first + second)

    def _earned(self, state: Probed, world: World, seeds: list[int]) -> tuple[float, int]:
        """The mean return of a batch of episodes, and its steps."""
        seen, policy = world.reset(seeds), self.policy(state)
        total, steps, running = 0.0, 0, np.ones(len(seeds), dtype=np.bool_)
        while running.any():
            actions, _ = policy.act(seen, None, np.random.default_rng(0))
            step = world.step(actions)
            total, steps = total + float(step.rewards[running].sum()), steps + int(running.sum())
            seen, running = step.observations, running & ~step.finished
        return total / len(seeds), steps

    def policy(self, state: Probed) -> Steering:
        """The weights as they are now."""
        return Steering(state.weights.copy(), state.choices)

    def restore(self, document: Mapping[str, Any]) -> Policy:
        """From its document."""
        return Steering.of_document(document)

    def save(self, state: Probed, path: Path) -> None:
        """The weights as npz."""
        with write_whole(path) as stream_:
            np.savez(stream_, weights=state.weights, choices=np.asarray(state.choices))

    def load(self, path: Path) -> Probed:
        """What `save` wrote."""
        kept = read_npz(path)
        return Probed(kept["weights"], bool(kept["choices"]))
