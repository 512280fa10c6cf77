"""Collects steps of a world: what was seen, drawn and gained, and what the critic says of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from sparring.simulated.spaces import Space
from sparring.simulated.world import World
from sparring_plugins.learners.actions import fitting
from sparring_plugins.learners.layout import Parameters
from sparring_plugins.learners.model import Model
from sparring_plugins.networks.normaliser import Normaliser

__all__ = ["Collector", "Rollout"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]
SEEDS = 1 << 31
"""Seeds of episodes are drawn below it."""


@dataclass(frozen=True, eq=False)
class Rollout:
    """Steps of a batch of episodes, in order; finished episodes are followed by new ones in the same place."""

    observations: Array
    """As the world showed them, [steps, batch, inputs]."""
    seen: NDArray[np.float32]
    """As the networks saw them, [steps, batch, inputs]."""
    memory: NDArray[np.float32]
    """Of the networks before each step, [steps, batch, width]."""
    outputs: NDArray[np.float32]
    """Of the actor, [steps, batch, outputs]."""
    drawn: Array
    """Before they became actions, [steps, batch, ...]."""
    rewards: Floats
    """As the world gave them, [steps, batch]."""
    terminated: Flags
    finished: Flags
    """Whether the episode was over after the step, either way, [steps, batch]."""
    values: Floats
    """Of what was acted on, [steps, batch]."""
    following: Floats
    """Of what came after each step in the same episode, 0 after an episode's own end, [steps, batch]."""
    after: NDArray[np.float32]
    """Memory after the last step, [batch, width]; 0 where an episode has just begun."""


class Collector:
    """Acts in a world with weights and normalisation that stay as they are meanwhile."""

    def __init__(
        self, model: Model, parameters: Parameters, normaliser: Normaliser | None, action: Space, manner: str
    ) -> None:
        """Act by these weights; `manner` is how drawn numbers become actions."""
        self._model, self._at = model, parameters.at
        self._normaliser, self._fitted = normaliser, fitting(action, manner)
        self._act = model.pair.acting(parameters.at)

    def begin(self, world: World, rng: np.random.Generator) -> NDArray[np.float32]:
        """Begin new episodes in all places; returns their memory."""
        world.reset(rng.integers(SEEDS, size=world.size).tolist())
        return np.zeros((world.size, self._model.pair.width), dtype=np.float32)

    def collect(self, world: World, memory: NDArray[np.float32], steps: int, rng: np.random.Generator) -> Rollout:
        """Go on for `steps` steps in each place, from the world's observations and this memory."""
        batch = len(memory)
        noise = self._model.head.noise(rng, steps, batch)
        whole: dict[str, Array] = {}
        ends: list[tuple[Array, Array]] = []  # what cut episodes showed last, and the memory then
        for step in range(steps):
            observations = world.observations
            seen = self._seen(observations)
            outputs, after = self._act(seen, memory)
            drawn = self._model.head.draw(self._at, outputs, noise[step])
            moved = world.step(self._fitted(drawn))
            finished = moved.finished
            told: tuple[Array, ...] = (
                observations,
                seen,
                memory,
                outputs,
                drawn,
                moved.rewards,
                moved.terminated,
                finished,
            )
            for name, row in zip(_ROWS, told, strict=True):
                if step == 0:
                    whole[name] = np.empty((steps, *row.shape), row.dtype)
                whole[name][step] = row
            memory = after
            if finished.any():
                cut = finished & ~moved.terminated
                ends.append((self._seen(moved.observations[cut]), memory[cut]))
                world.restart(finished, rng.integers(SEEDS, size=int(finished.sum())).tolist())
                memory = np.where(finished[:, None], np.float32(0), memory)
        values, following = self._valued(whole, ends, self._seen(world.observations), memory)
        return Rollout(**whole, values=values, following=following, after=memory)

    def _seen(self, observations: Array) -> NDArray[np.float32]:
        if self._normaliser is None:
            return np.ascontiguousarray(observations, dtype=np.float32)
        return self._normaliser(observations)

    def _valued(
        self, whole: dict[str, Array], ends: list[tuple[Array, Array]], last: Array, memory: Array
    ) -> tuple[Floats, Floats]:
        """Values of everything acted on and of what followed, in one batch."""
        steps, batch = whole["rewards"].shape
        count = steps * batch
        seen = [whole["seen"].reshape(count, last.shape[1]), last, *(each for each, _ in ends)]
        kept = [whole["memory"].reshape(count, memory.shape[1]), memory, *(each for _, each in ends)]
        given = (torch.from_numpy(np.concatenate(each)) for each in (seen, kept))
        flat = self._model.pair.values(self._at, *given).numpy().astype(np.float64)
        inner = flat[:count].reshape(steps, batch)
        following = np.concatenate([inner[1:], flat[None, count : count + batch]])
        following[whole["terminated"]] = 0.0
        following[whole["finished"] & ~whole["terminated"]] = flat[count + batch :]
        return inner, following


_ROWS = ("observations", "seen", "memory", "outputs", "drawn", "rewards", "terminated", "finished")
