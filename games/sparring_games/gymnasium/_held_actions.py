"""Sticky actions outside of the emulator, whose saved state leaves out the action that it holds.

At every frame the action of the frame before is repeated with some probability (Machado et al. 2018, section 5.2). The
emulator does so itself, by the same law; done here, it is part of what an environment's snapshot restores.
Imported when an Atari game is first made, because its base class is Gymnasium's.
"""

from __future__ import annotations

from typing import Any

import gymnasium
import numpy as np

from sparring.streams import stream

__all__ = ["HeldActions"]


class HeldActions(gymnasium.Wrapper):  # type: ignore[misc, type-arg, unused-ignore]  # gymnasium may not be installed
    """Repeats frames of an environment that emulates one frame a step, holding actions by chance."""

    def __init__(self, environment: Any, probability: float, frames: int | tuple[int, int]) -> None:
        """Hold actions with that probability; `frames` is how many a step takes, or a range without its end."""
        super().__init__(environment)
        self._probability, self._frames = probability, frames
        discrete = type(environment.action_space).__name__ == "Discrete"
        self._idle: Any = 0 if discrete else np.zeros(environment.action_space.shape, dtype=np.float32)
        self._held: Any = self._idle
        self._chance = stream(0, "held actions")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Begin an episode; its chance comes from the seed, or goes on where there is none."""
        if seed is not None:
            self._chance = stream(seed, "held actions")
        self._held = self._idle
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> Any:
        """Some frames; rewards add up, and an episode that ends needs no more frames."""
        count = self._frames if isinstance(self._frames, int) else int(self._chance.integers(*self._frames))
        total = 0.0
        for _ in range(count):
            if self._chance.random() >= self._probability:
                self._held = action
            shown, reward, ended, cut, info = self.env.step(self._held)
            total += float(reward)
            if ended or cut:
                break
        return shown, total, ended, cut, info
