"""The networks and the head that settings and spaces ask for, with the layout of all their weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from sparring.errors import RefusedError
from sparring.simulated.spaces import Box, Discrete, Space
from sparring_plugins.learners.actions import stretch
from sparring_plugins.learners.actor_critic import ActorCritic
from sparring_plugins.learners.heads import Categorical, Gaussian, Head
from sparring_plugins.learners.layout import Layout
from sparring_plugins.learners.lstm import LstmPair
from sparring_plugins.learners.mlp import MlpPair
from sparring_plugins.learners.settings import PpoSettings

__all__ = ["Model", "model_for"]


@dataclass(frozen=True)
class Model:
    """Actor, critic and head."""

    pair: ActorCritic
    head: Head

    @cached_property
    def layout(self) -> Layout:
        """Weights of the networks, then of the head."""
        return Layout({**self.pair.layout.shapes, **self.head.shapes})

    def initial(self, rng: np.random.Generator, gain: float) -> Tensor:
        """First weights, [size], with that gain of the actor's last layer."""
        flat = torch.zeros(self.layout.size)
        views = self.layout.views(flat)
        for name, numbers in {**self.pair.initial(rng, gain), **self.head.initial()}.items():
            views[name].copy_(torch.from_numpy(np.asarray(numbers)))
        return flat


def model_for(settings: PpoSettings, observation: Space, action: Space) -> Model:
    """Build it.

    Raises:
        RefusedError: observations that are no vectors, or actions that are neither vectors nor choices.
    """
    if not isinstance(observation, Box) or len(observation.shape) != 1:
        raise RefusedError(f"ppo: takes observations that are vectors, these are {observation}")
    if isinstance(action, Box) and len(action.shape) != 1:
        raise RefusedError(f"ppo: takes actions that are vectors or choices, these are {action}")
    if isinstance(action, Box) and settings.actions == "hardtanh":
        stretch(action)
    outputs = action.count if isinstance(action, Discrete) else math.prod(action.shape)
    head: Head = Categorical({}) if isinstance(action, Discrete) else Gaussian(outputs, settings.initial_log_std)
    (inputs,) = observation.shape
    if settings.network == "lstm":
        embed, hidden = settings.hidden
        return Model(LstmPair(inputs, embed, hidden, outputs), head)
    return Model(MlpPair((inputs, *settings.hidden), outputs, settings.activation), head)
