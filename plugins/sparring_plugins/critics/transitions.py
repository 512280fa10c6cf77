"""What a victim does in a world, step by step, with noise in its actions so that other actions are seen, too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.acting import HasDeviation
from sparring.errors import RefusedError
from sparring.policy import Ability
from sparring.simulated.attack_game import SEEDS, SimulatedAttackGame
from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.contest import inner_of, seen_by
from sparring.simulated.normalising import Normalising
from sparring.simulated.seats import Renewing
from sparring.simulated.spaces import Box

__all__ = ["Transitions", "collected", "features_of"]

Array = NDArray[Any]
Floats = NDArray[np.float32]
Flags = NDArray[np.bool_]
PLACES = 16
"""Episodes side by side."""
ASSUMED = 0.1
"""Deviation of noise, in units of half the action's range, where the victim has none of its own."""


@dataclass(frozen=True, eq=False)
class Transitions:
    """Steps of a batch of episodes, in order; finished episodes are followed by new ones in the same place."""

    states: Floats
    """As the victim's network sees them, flat, [steps, batch, features]."""
    actions: Floats
    """That the world was sent, flat, [steps, batch, actions]."""
    rewards: NDArray[np.float64]
    """[steps, batch]."""
    next_states: Floats
    """Of the same episode, the last ones included, [steps, batch, features]."""
    next_actions: Floats
    """That the victim took there, or would have taken, [steps, batch, actions]."""
    terminated: Flags
    """Whether the episode came to its own end, [steps, batch]."""
    finished: Flags
    """Whether it was over either way, [steps, batch]."""

    @property
    def count(self) -> int:
        """Simulator steps."""
        return self.rewards.size


def features_of(inner: Any, seen: Array) -> Floats:
    """What the network of a victim sees where the attack sees `seen`, flat, [batch, features]."""
    shown = inner.normalised(seen) if isinstance(inner, Normalising) else seen
    return np.asarray(shown, dtype=np.float32).reshape(len(seen), -1)


def collected(
    duel: SimulatedAttackGame,
    victim: Any,
    count: int,
    spread: float,
    rng: np.random.Generator,
    watch: Callable[[int], None],
) -> Transitions:
    """Let the victim act without attack for at least `count` simulator steps.

    Args:
        duel: the attack game; nothing of it is charged.
        victim: a policy of continuous actions.
        count: steps over all places.
        spread: deviation of the noise in its actions, in units of the victim's own deviation where it is Gaussian, else
            of a tenth of half the range. A victim that draws its actions gets what its own noise lacks of that.
        rng: seeds of episodes, and the noise.
        watch: told of the steps done.

    Raises:
        RefusedError: the victim's memory cannot be begun anew for single episodes.
    """
    walk = _Walk(duel, victim, spread, rng)
    rows = []
    try:
        for step in range(-(-count // PLACES)):
            rows.append(walk.step())
            watch((step + 1) * PLACES)
        last, _ = walk.decide()
    finally:
        walk.close()
    states, actions, rewards, next_states, ahead, terminated, cut = (np.stack(part) for part in zip(*rows, strict=True))
    next_actions = np.where(cut[..., None], ahead, np.concatenate([actions[1:], last[None]]))
    return Transitions(states, actions, rewards, next_states, next_actions, terminated, terminated | cut)


class _Walk:
    """The episodes, and what the victim does in each."""

    def __init__(self, duel: SimulatedAttackGame, victim: Any, spread: float, rng: np.random.Generator) -> None:
        assert isinstance(duel.game.action, Box)  # the oracle has seen to that
        self._victim, self._channels, self._rng = victim, duel.channels, rng
        self._inner = inner_of(victim, duel.channels)
        self._noise = _deviation(victim, duel.game.action, spread)
        self._world = duel.game.world(PLACES, duel.workers)
        seeds = self._seeds(PLACES)
        self._world.reset(seeds)
        self._memory, self._chance = victim.begin(PLACES), EpisodeStreams(seeds, "policy")
        if self._memory is not None and not isinstance(victim, Renewing):
            raise RefusedError(f"{type(victim).__name__}: its memory cannot be begun anew for single episodes (renew)")

    def step(self) -> tuple[Array, ...]:
        """States, actions, rewards, next states, actions there where an episode was cut, terminated, cut."""
        states = self._states()
        actions, self._memory = self.decide()
        step = self._world.step(actions.reshape(self._shape).astype(self._kind))
        reached, cut = self._states(), step.truncated & ~step.terminated
        ahead = self.decide()[0] if cut.any() else np.zeros_like(actions)
        if step.finished.any():
            seeds = self._seeds(int(step.finished.sum()))
            self._world.restart(step.finished, seeds)
            self._chance.renew(step.finished, seeds)
            self._memory = None if self._memory is None else self._victim.renew(self._memory, step.finished)
        return states, actions, step.rewards, reached, ahead, step.terminated, cut

    def decide(self) -> tuple[Floats, Any]:
        """What the victim does now, with noise, flat, [batch, actions], and its memory afterwards."""
        acted, after = self._victim.act(self._world.observations, self._memory, self._chance)
        drawn: Array = self._rng.standard_normal(np.shape(acted)) * self._noise
        self._shape, self._kind = np.shape(acted), np.asarray(acted).dtype
        return (np.asarray(acted) + drawn).astype(np.float32).reshape(len(acted), -1), after

    def close(self) -> None:
        """Close the world."""
        self._world.close()

    def _states(self) -> Floats:
        return features_of(self._inner, seen_by(self._victim, self._world.observations, self._channels))

    def _seeds(self, count: int) -> list[int]:
        return [int(seed) for seed in self._rng.integers(SEEDS, size=count)]


def _deviation(victim: Any, action: Box, spread: float) -> Array:
    """Deviation of the noise to be added, [*action]; none for a victim whose own is not known."""
    draws = Ability.DETERMINISTIC not in victim.abilities
    own = victim.deviation if isinstance(victim, HasDeviation) else None
    if own is not None:
        missing = math.sqrt(max(0.0, spread**2 - 1)) if draws else spread
        return missing * np.asarray(own, dtype=np.float64).reshape(action.shape)
    if draws:
        return np.zeros(action.shape)
    half = (action.high - action.low) / 2 if action.bounded else np.ones(action.shape)
    return spread * ASSUMED * np.asarray(half, dtype=np.float64)
