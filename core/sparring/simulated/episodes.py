"""Plays whole episodes of a policy, in batches, and keeps every return."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.acting import Acting
from sparring.errors import RefusedError
from sparring.journal import Played
from sparring.policy import Policy
from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.world import World

__all__ = ["Episodes", "episodes_of", "play"]


@dataclass(frozen=True, eq=False)
class Episodes:
    """One row for each episode, in the order of the seeds."""

    seeds: tuple[int, ...]
    returns: NDArray[np.float64]
    """Sum of rewards, not discounted, [episodes]."""
    lengths: NDArray[np.int64]
    """Steps, [episodes]."""
    truncated: NDArray[np.bool_]
    """Whether the time limit ended it, [episodes]."""


def episodes_of(seeds: Sequence[int], played: Mapping[int, Played]) -> Episodes:
    """Rows in the order of the seeds, from what is known of each."""
    rows = [played[seed] for seed in seeds]
    return Episodes(
        seeds=tuple(seeds),
        returns=np.array([row.gained for row in rows], dtype=np.float64),
        lengths=np.array([row.length for row in rows], dtype=np.int64),
        truncated=np.array([row.truncated for row in rows], dtype=np.bool_),
    )


def play(world: World, policy: Policy, seeds: Sequence[int]) -> Episodes:
    """Play one episode for each seed, `world.size` at a time.

    The policy draws from a stream of its own for each episode.

    Raises:
        RefusedError: the policy does not act step by step.
    """
    if not isinstance(policy, Acting):
        raise RefusedError(f"playing: a {policy.form} policy of type {type(policy).__name__} does not act step by step")
    parts = [_batch(world, policy, seeds[start : start + world.size]) for start in range(0, len(seeds), world.size)]
    return Episodes(
        seeds=tuple(int(seed) for seed in seeds),
        returns=np.concatenate([part.returns for part in parts]),
        lengths=np.concatenate([part.lengths for part in parts]),
        truncated=np.concatenate([part.truncated for part in parts]),
    )


def _batch(world: World, policy: Acting, seeds: Sequence[int]) -> Episodes:
    observations = world.reset(seeds)
    memory = policy.begin(len(seeds))
    chance: Any = EpisodeStreams(seeds, "policy")  # draws as a Generator does, which `Acting` asks for
    returns, lengths = np.zeros(len(seeds)), np.zeros(len(seeds), dtype=np.int64)
    finished = truncated = np.zeros(len(seeds), dtype=np.bool_)
    while not finished.all():
        actions, memory = policy.act(observations, memory, chance)
        step = world.step(actions)
        lengths += ~finished
        returns += step.rewards
        observations, finished, truncated = step.observations, step.finished, step.truncated
    return Episodes(tuple(seeds), returns, lengths, truncated)
