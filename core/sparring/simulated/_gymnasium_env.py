"""One side's view as an environment of Gymnasium; imported when one is made."""

from __future__ import annotations

from typing import Any, ClassVar

import gymnasium
import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring.simulated.spaces import Discrete, Space
from sparring.simulated.views import AttackerView, VictimView

__all__ = ["SideEnv", "element", "gym_space"]

SEEDS = 2**31


class SideEnv(gymnasium.Env):  # type: ignore[misc, type-arg, unused-ignore]  # gymnasium may not be installed
    """One episode at a time of a view."""

    metadata: ClassVar[dict[str, Any]] = {"render_modes": []}

    def __init__(self, view: AttackerView | VictimView, seen: Space, chosen: Space, where: str) -> None:
        """Take a view of one episode, what it shows and what is chosen in it; `where` is the game, for messages."""
        self._view, self._seen, self._where = view, seen, where
        self._running = False
        self.observation_space, self.action_space = gym_space(seen), gym_space(chosen)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin the episode of a seed, or of one that is drawn; `info["seed"]` says which."""
        super().reset(seed=seed)
        own = int(self.np_random.integers(SEEDS)) if seed is None else int(seed)
        shown = self._view.reset([own])
        self._running = True
        return element(shown[0], self._seen), {"seed": own}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Move on; `info["deployed"]` says what was made of the attacker's proposal.

        Raises:
            RequestError: no episode has begun, or it is over.
        """
        if not self._running:
            raise RequestError(f"{self._where}: the episode has not begun or is over; call reset first")
        step = self._view.step(np.asarray(action)[None])
        self._running = not bool(step.finished[0])
        info = {"deployed": {name: made[0].copy() for name, made in self._view.deployed.items()}}
        ended, cut = bool(step.terminated[0]), bool(step.truncated[0])
        return element(step.observations[0], self._seen), float(step.rewards[0]), ended, cut, info

    def close(self) -> None:
        """Close the world."""
        self._view.close()


def gym_space(space: Space) -> Any:
    """The same space in Gymnasium's words."""
    if isinstance(space, Discrete):
        return gymnasium.spaces.Discrete(space.count)
    kind = np.dtype(space.dtype)
    return gymnasium.spaces.Box(_outward(space.low, kind, -np.inf), _outward(space.high, kind, np.inf), dtype=kind.type)


def element(shown: NDArray[Any], space: Space) -> Any:
    """What one episode shows, as its space has it."""
    return np.int64(shown) if isinstance(space, Discrete) else np.array(shown, dtype=space.dtype)


def _outward(limit: NDArray[np.float64], kind: np.dtype[Any], away: float) -> NDArray[Any]:
    """A limit in the type of the space, rounded so that nothing within it falls out."""
    rounded = limit.astype(kind)
    if kind.kind != "f":
        return rounded
    inside = rounded.astype(np.float64) > limit if away < 0 else rounded.astype(np.float64) < limit
    return np.where(inside, np.nextafter(rounded, kind.type(away)), rounded)
