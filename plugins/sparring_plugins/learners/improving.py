"""Epochs of minibatches: the part of PPO that changes weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import fmean

import numpy as np
import torch
from torch import Tensor

from sparring_plugins.learners.adam import Adam
from sparring_plugins.learners.layout import Parameters
from sparring_plugins.learners.minibatches import Minibatch, in_pieces, in_steps
from sparring_plugins.learners.model import Model
from sparring_plugins.learners.objective import policy_slope, value_slope
from sparring_plugins.learners.rollout import Rollout
from sparring_plugins.learners.settings import PpoSettings

__all__ = ["Seen", "improve", "learned_from"]


@dataclass(frozen=True, eq=False)
class Seen:
    """What the last epoch showed, before each of its steps."""

    log_ratios: Tensor
    """[rows]."""
    gradient_norm: float
    """Before it was limited, the mean over minibatches."""


def learned_from(
    model: Model, parameters: Parameters, rollout: Rollout, advantages: np.ndarray, targets: np.ndarray
) -> Minibatch:
    """A rollout as rows; log-probabilities are those of the outputs that were drawn from."""
    outputs, drawn = (torch.from_numpy(each).flatten(0, 1) for each in (rollout.outputs, rollout.drawn))
    values, gains, aims = (
        torch.from_numpy(np.float32(each)).flatten() for each in (rollout.values, advantages, targets)
    )
    return Minibatch(
        seen=torch.from_numpy(rollout.seen).flatten(0, 1),
        drawn=drawn,
        log_probabilities=model.head.score(parameters.at, outputs, drawn).log_probabilities,
        values=values,
        advantages=gains,
        targets=aims,
    )


def improve(
    model: Model,
    parameters: Parameters,
    adam: Adam,
    experience: Minibatch,
    rollout: Rollout,
    settings: PpoSettings,
    rng: np.random.Generator,
) -> Seen:
    """Go through a rollout `epochs` times, a step of Adam for each minibatch; changes `parameters` in place."""
    log_ratios: list[Tensor] = []
    norms: list[float] = []
    for _ in range(settings.epochs):
        log_ratios, norms = [], []
        for part in _minibatches(model, experience, rollout, settings, rng):
            log_ratios.append(_slope(model, parameters, part, settings))
            norms.append(adam.step(parameters.flat, parameters.gradient))
    return Seen(torch.cat(log_ratios), fmean(norms))


def _minibatches(
    model: Model, experience: Minibatch, rollout: Rollout, settings: PpoSettings, rng: np.random.Generator
) -> Iterator[Minibatch]:
    standard = settings.standardise_advantages
    if model.pair.width == 0:
        return in_steps(experience, settings.batch, rng, standard=standard)
    told = (rollout.memory, rollout.finished, settings.batch, settings.sequence)
    return in_pieces(experience, *told, rng, standard=standard)


def _slope(model: Model, parameters: Parameters, part: Minibatch, settings: PpoSettings) -> Tensor:
    """Write the gradient of the whole loss; returns logarithms of the ratios [batch]."""
    forward = model.pair.forward(parameters, part.seen, part.pieces)
    scored = model.head.score(parameters.at, forward.outputs, part.drawn)
    log_ratio = scored.log_probabilities - part.log_probabilities
    slope = policy_slope(log_ratio, part.advantages, settings.clip)
    lower = value_slope(forward.values, part.values, part.targets, settings.value_weight, settings.value_clip)
    upper = model.head.slopes(scored, slope, settings.entropy_weight, parameters.gradient_at)
    forward.back(upper, lower)
    return log_ratio
