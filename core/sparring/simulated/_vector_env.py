"""One side's view as a vector environment of Gymnasium; imported when one is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from sparring.errors import RequestError
from sparring.simulated._gymnasium_env import SEEDS, gym_space
from sparring.simulated.spaces import Space
from sparring.simulated.views import AttackerView, VictimView

__all__ = ["SideVectorEnv"]

Array = np.ndarray[Any, np.dtype[Any]]


class SideVectorEnv(VectorEnv):  # type: ignore[misc, type-arg, unused-ignore]  # gymnasium may not be installed
    """A batch of episodes of a view; one that ends is begun anew in the same step."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": [], "autoreset_mode": AutoresetMode.SAME_STEP}

    def __init__(self, view: AttackerView | VictimView, seen: Space, chosen: Space, where: str) -> None:
        """Take a view, what it shows and what is chosen in it; `where` is the game, for messages."""
        self._view, self._kind, self._where = view, np.dtype(seen.dtype), where
        self.num_envs = view.size
        self.single_observation_space, self.single_action_space = gym_space(seen), gym_space(chosen)
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self._running = False

    def reset(
        self, *, seed: int | Sequence[int] | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Begin all episodes: with seeds from the given one on, with the seeds of a list, or with drawn ones.

        Raises:
            RequestError: a list of another length.
        """
        if seed is None:
            seeds = self._drawn(self.num_envs)
        else:
            seeds = [seed + place for place in range(self.num_envs)] if isinstance(seed, int) else list(seed)
            self._np_random, self._np_random_seed = gymnasium.utils.seeding.np_random(seeds[0] if seeds else None)
        if len(seeds) != self.num_envs:
            raise RequestError(f"{self._where}: {len(seeds)} seeds for {self.num_envs} episodes, give one for each")
        shown = self._view.reset(seeds)
        self._running = True
        return shown.astype(self._kind), {"seed": np.array(seeds)}

    def step(self, actions: Array) -> tuple[Array, Array, Array, Array, dict[str, Any]]:
        """Move all episodes, and begin anew those that end.

        Raises:
            RequestError: no episode has begun.
        """
        if not self._running:
            raise RequestError(f"{self._where}: no episode has begun; call reset first")
        step = self._view.step(np.asarray(actions))
        info: dict[str, Any] = {"deployed": {name: made.copy() for name, made in self._view.deployed.items()}}
        shown, ended = step.observations.astype(self._kind), step.finished
        if ended.any():
            last = np.empty(self.num_envs, dtype=object)
            for place in np.flatnonzero(ended).tolist():
                last[place] = shown[place]
            info |= {"final_obs": last, "_final_obs": ended.copy()}
            shown = self._view.restart(ended, self._drawn(int(ended.sum()))).astype(self._kind)
        return shown, step.rewards, step.terminated, step.truncated, info

    def close_extras(self, **kwargs: Any) -> None:
        """Close the world."""
        self._view.close()

    def _drawn(self, count: int) -> list[int]:
        """Seeds of episodes."""
        return [int(seed) for seed in self.np_random.integers(SEEDS, size=count)]
