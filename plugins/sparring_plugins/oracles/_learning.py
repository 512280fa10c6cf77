"""Trains an attacker of one victim and keeps the best of its iterates; imported only where torch is needed."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from sparring.attack_game import Effort
from sparring.errors import RequestError
from sparring.oracle import Finding
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.world import World
from sparring_plugins.learners.logs import CsvLog
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.settings import PpoSettings, Recipe
from sparring_plugins.learners.training import Show, annealed, progress_bar
from sparring_plugins.oracles._learning_doubts import doubts_of
from sparring_plugins.oracles._learning_file import read_progress, write_progress
from sparring_plugins.oracles._learning_progress import Progress
from sparring_plugins.oracles._learning_training import Training

if TYPE_CHECKING:
    from sparring_plugins.oracles._learning_options import LearningOptions

__all__ = ["learned"]

SEEDS = 2**31
PAUSE = 60.0
"""Seconds between two writings of the checkpoint, scorings apart."""


def learned(
    manner: type[Training],
    duel: SimulatedAttackGame,
    victim: Policy,
    options: LearningOptions,
    effort: Effort | None,
    rng: np.random.Generator,
) -> Finding:
    """Train for as long as the options or the effort say.

    Args:
        manner: what is learned: which world the learner acts in, and what attacker that makes.
        duel: whose attacker learns.
        victim: whom to attack.
        options: of the oracle.
        effort: simulator steps and seconds, which go before the options' steps.
        rng: all randomness.
    """
    for path in (options.checkpoint, options.save, options.log):
        _check_folder(manner.name, path)
    recipe = {name: getattr(options, name) for name in Recipe.model_fields}
    learner = Ppo(PpoSettings(**recipe, actions="hardtanh", snapshots="mean"))
    steps = options.steps if effort is None or effort.steps is None else effort.steps
    starts, seeds = (
        tuple(int(each) for each in rng.integers(SEEDS, size=size))
        for size in (options.starts, options.select_episodes)
    )
    training = manner(duel, victim, learner, options, steps, starts, seeds)
    progress = _begun(training)
    world = training.world()
    try:
        progress = _trained(training, progress, world, None if effort is None else effort.seconds)
    finally:
        world.close()
    attacker = training.policy(progress.best)
    if options.save:
        training.save(progress, Path(options.save).expanduser())
    told = doubts_of(progress.tried, training.steps)
    return Finding(attacker, steps=progress.spent, warnings=tuple(f"oracle {training.name}: {each}" for each in told))


def _begun(training: Training) -> Progress:
    """Where the checkpoint stopped, or the strongest of some untrained attackers."""
    path = training.checkpoint
    if path is not None and path.exists():
        return read_progress(path, training)
    states = [training.learner.start(*training.spaces, seed) for seed in training.starts]
    tried = [training.tried(state) for state in states]
    best = min(range(len(tried)), key=lambda place: tried[place].mean)
    sought = sum(each.played for each in tried) - tried[best].played
    return Progress(states[best], states[best], (tried[best],), sought)


def _trained(training: Training, progress: Progress, world: World, seconds: float | None) -> Progress:
    """Train to the end, scoring and keeping the progress on the way."""
    began = kept_at = time.perf_counter()
    kept = progress
    with ExitStack() as stack:
        shows = _shows(training, progress, stack)
        try:
            every = training.every(progress.tried[0])
            while progress.state.steps < training.steps:
                before = progress.state
                progress = _updated(training, progress, world, shows)
                ended = seconds is not None and time.perf_counter() - began >= seconds
                done = ended or progress.state.steps >= training.steps
                scored = done or progress.state.steps // every > before.steps // every
                progress = progress.with_tried(training.tried(progress.state)) if scored else progress
                if scored or time.perf_counter() - kept_at > PAUSE:
                    kept, kept_at = _kept(training, progress), time.perf_counter()
                if ended:
                    break
        finally:  # an interrupt or a world that fails leaves the last whole state behind
            if kept is not progress:
                _kept(training, progress)
    return progress


def _updated(training: Training, progress: Progress, world: World, shows: list[Show]) -> Progress:
    settings = training.learner.settings
    rate = settings.learning_rate
    rate = annealed(rate, progress.state.steps, training.steps) if settings.anneal else rate
    state, info = training.learner.update(progress.state, world, rate=rate)
    for show in shows:
        show(state, info)
    return replace(progress, state=state)


def _shows(training: Training, progress: Progress, stack: ExitStack) -> list[Callable[..., None]]:
    """What is told of every update: a bar on a terminal, and the log."""
    bar = progress_bar(f"oracle {training.name}", progress.state, training.steps)
    shows: list[Callable[..., None]] = [stack.enter_context(bar)]
    if training.options.log:
        log = CsvLog(Path(training.options.log).expanduser(), progress.state)
        stack.callback(log.close)
        shows.append(log.write)
    return shows


def _kept(training: Training, progress: Progress) -> Progress:
    if training.checkpoint is not None:
        write_progress(training.checkpoint, training, progress)
    return progress


def _check_folder(name: str, path: str) -> None:
    """Refuse a file that could not be written, before the training rather than after it."""
    if path and not Path(path).expanduser().parent.is_dir():
        raise RequestError(f"oracle {name}: {path}: there is no folder {Path(path).expanduser().parent}")
