"""Proximal policy optimisation on any world; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sparring.attack_game import StepInfo
from sparring.errors import RequestError, SparringError
from sparring.policy import Policy
from sparring.simulated.spaces import Box, Space
from sparring.simulated.world import World
from sparring.streams import stream
from sparring_plugins.learners.adam import Adam, Averages
from sparring_plugins.learners.advantages import generalised_advantages
from sparring_plugins.learners.checkpoint import read_state, write_state
from sparring_plugins.learners.exporting import ADDED, exported
from sparring_plugins.learners.improving import Seen, improve, learned_from
from sparring_plugins.learners.layout import Parameters
from sparring_plugins.learners.logs import Log
from sparring_plugins.learners.model import model_for
from sparring_plugins.learners.moments import Moments
from sparring_plugins.learners.rollout import Collector, Rollout
from sparring_plugins.learners.scaling import discounted_returns
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.learners.state import Ongoing, PpoState
from sparring_plugins.learners.summary import Finished, finished_episodes, healthy
from sparring_plugins.learners.training import Keeping, trained
from sparring_plugins.networks.normaliser import Normaliser
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.networks.threads import threads_for

__all__ = ["Ppo"]

Floats = np.ndarray[Any, np.dtype[np.float64]]


class Ppo:
    """Schulman et al. 2017, with clipping, generalised advantages and running normalisation."""

    def __init__(self, settings: PpoSettings | None = None) -> None:
        """Learn with these settings; those of `PpoSettings()` where none are given."""
        self.settings = PpoSettings.model_validate({}) if settings is None else settings

    def start(self, observation: Space, action: Space, seed: int) -> PpoState:
        """A learner that has learned nothing.

        Args:
            observation: a vector.
            action: a vector or a choice.
            seed: all chance of the learner, in every update, comes from it.

        Raises:
            RequestError: spaces of other kinds.
        """
        model = model_for(self.settings, observation, action)
        assert isinstance(observation, Box)  # `model_for` has seen to it
        weights = model.initial(stream(seed, "ppo start"), self.settings.initial_gain)
        seen, gained = Moments.none(observation.shape), Moments.none(())
        return PpoState(observation, action, seed, weights, Averages.none(len(weights)), seen, gained)

    def update(
        self, state: PpoState, world: World, *, rate: float | None = None, rng: np.random.Generator | None = None
    ) -> tuple[PpoState, StepInfo]:
        """Collect one rollout and learn from it.

        The world is first set to where the state left it, so that the outcome depends on nothing but the arguments.

        Args:
            state: left as it is.
            world: of any size; a state with episodes of another size begins new ones.
            rate: step size; that of the settings where there is none.
            rng: all chance of this update, episodes' seeds included; the state's own where there is none.

        Raises:
            RequestError: the world holds more episodes than a rollout has steps.
            SparringError: weights or observations are no longer numbers.
        """
        chance = stream(state.seed, "ppo update", state.updates) if rng is None else rng
        step_size = self.settings.learning_rate if rate is None else rate
        with torch.no_grad(), threads_for(0):  # one thread: what so small products sum to must not depend on how many
            return self._updated(state, world, step_size, chance)

    def policy(
        self, state: PpoState, facts: Mapping[str, Any] | None = None, *, adversary: bool = False
    ) -> NetworkPolicy:
        """What was learned, as a policy that draws as the learner does, or not, as the settings say.

        Args:
            state: left as it is; the policy has copies.
            facts: what its description says besides, such as `name`, `environment` and provenance.
            adversary: it attacks; outputs that are numbers are changes between -1 and 1, and none of them is drawn.
        """
        found = exported(state, self.settings, facts or {}, adversary=adversary)
        return found if self.settings.snapshots == "sample" else found.greedy()

    def restore(self, document: Mapping[str, Any]) -> Policy:
        """A policy again from what its `to_document` gave, bit for bit."""
        return NetworkPolicy.of_document(document)

    def train(
        self,
        state: PpoState,
        world: World,
        steps: int,
        *,
        checkpoint: Path | None = None,
        every: int = 10,
        logs: Sequence[Log] = (),
        watch: Callable[[PpoState, StepInfo], None] | None = None,
    ) -> PpoState:
        """Update until the state has seen so many simulator steps in all, with a bar on a terminal.

        Stopped and called again with the state that was saved, it ends as it would have without the stop.

        Args:
            state: where to go on; one that has seen enough is given back.
            world: as for `update`.
            steps: in all, those before this call included; the step size, if annealed, reaches 0 there.
            checkpoint: a file that holds the last whole state, whatever happens, from the first update on.
            every: updates between two writings of it.
            logs: told of every update, and closed at the end.
            watch: called with every new state.
        """
        return trained(self, state, world, steps, Keeping(checkpoint, every), logs, watch)

    def save(self, state: PpoState, path: Path) -> None:
        """Write all of a state; the file is whole or absent."""
        write_state(state, self.settings, path)

    def load(self, path: Path) -> PpoState:
        """Read a state that `save` wrote, to go on bit for bit.

        Raises:
            RequestError: the file is damaged, or was written with other settings; the line names them.
        """
        return read_state(self.settings, path)

    # ---- inside --------------------------------------------------------------------------------------------------

    def _updated(
        self, state: PpoState, world: World, rate: float, rng: np.random.Generator
    ) -> tuple[PpoState, StepInfo]:
        settings, model = self.settings, model_for(self.settings, state.observation, state.action)
        parameters = Parameters(model.layout, state.weights)
        collector = Collector(model, parameters, self._normaliser(state), state.action, settings.actions)
        rollout, before = self._collected(collector, state, world, rng)
        episodes = finished_episodes(rollout, before)
        advantages, targets, gained, discounted = self._judged(rollout, state, before)
        experience = learned_from(model, parameters, rollout, advantages, targets)
        adam = Adam(state.averages, rate, settings.gradient_limit)
        watched = improve(model, parameters, adam, experience, rollout, settings, rng)
        if not bool(torch.isfinite(parameters.flat).all()):
            raise SparringError(f"ppo: weights are not numbers after update {state.updates}; lower learning_rate")
        after = replace(
            state,
            weights=parameters.flat,
            averages=adam.averages,
            seen=state.seen.with_rows(rollout.observations.reshape(-1, *state.observation.shape)),
            gained=gained,
            updates=state.updates + 1,
            steps=state.steps + rollout.rewards.size,
            ongoing=self._ongoing(world, rollout, episodes, discounted),
        )
        entropy = model.head.entropy(parameters.at, torch.from_numpy(rollout.outputs).flatten(0, 1))
        metrics = {**episodes.metrics, **healthy(watched, rollout, targets, settings.clip), "entropy": entropy}
        return after, _info(rollout, watched, {**metrics, "rate": rate})

    def _collected(
        self, collector: Collector, state: PpoState, world: World, rng: np.random.Generator
    ) -> tuple[Rollout, Ongoing]:
        """A rollout, and the episodes that it went on from."""
        before = state.ongoing
        if before is None or len(before.memory) != world.size:
            zeros = np.zeros(world.size)
            before = Ongoing(None, collector.begin(world, rng), zeros, zeros, zeros.astype(np.int64))
        else:
            world.load(before.world)
        steps = self.settings.rollout // world.size
        if steps == 0:
            raise RequestError(f"ppo: a rollout of {self.settings.rollout} steps for {world.size} episodes at once")
        return collector.collect(world, before.memory, steps, rng), before

    def _judged(self, rollout: Rollout, state: PpoState, before: Ongoing) -> tuple[Floats, Floats, Moments, Floats]:
        """Advantages, the critic's targets, statistics of discounted returns, and these returns up to now."""
        settings = self.settings
        sums, running = discounted_returns(rollout.rewards, rollout.finished, before.discounted, settings.discount)
        gained, rewards = state.gained.with_rows(sums.ravel()), rollout.rewards
        if settings.normalise_rewards:
            rewards = np.clip(rewards / (gained.deviation + ADDED), -settings.reward_clip, settings.reward_clip)
        advantages = generalised_advantages(
            rewards, rollout.values, rollout.following, rollout.finished, settings.discount, settings.trace
        )
        return advantages, advantages + rollout.values, gained, running

    def _ongoing(self, world: World, rollout: Rollout, episodes: Finished, discounted: Floats) -> Ongoing | None:
        if not self.settings.carry_on:
            return None
        lengths = episodes.lengths_so_far.astype(np.int64)
        return Ongoing(world.save(), rollout.after, discounted, episodes.returns_so_far, lengths)

    def _normaliser(self, state: PpoState) -> Normaliser | None:
        if not self.settings.normalise_observations or state.seen.count == 0:
            return None
        return Normaliser(state.seen.mean, state.seen.deviation + ADDED, self.settings.observation_clip)


def _info(rollout: Rollout, watched: Seen, metrics: dict[str, float]) -> StepInfo:
    return StepInfo(rollout.rewards.size, watched.gradient_norm, metrics)
