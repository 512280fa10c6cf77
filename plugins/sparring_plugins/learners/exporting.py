"""A learner's policy in the portable format, with its normalisation frozen into it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from sparring.simulated.spaces import Box, Discrete
from sparring_plugins.learners.actions import stretch
from sparring_plugins.learners.heads import LOG_STD
from sparring_plugins.learners.model import model_for
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.learners.state import PpoState
from sparring_plugins.networks.policy import NetworkPolicy

__all__ = ["ADDED", "exported"]

ADDED = 1e-8
"""What is added to a standard deviation before it divides."""


def exported(state: PpoState, settings: PpoSettings, facts: Mapping[str, Any], *, adversary: bool) -> NetworkPolicy:
    """The policy as it acts while it collects, drawing its actions; `greedy()` of it draws none.

    Args:
        state: left as it is.
        settings: those the state was trained with.
        facts: what the description says besides, such as `name` and `environment`.
        adversary: it attacks; outputs that are numbers are changes between -1 and 1, and none of them is drawn.
    """
    model = model_for(settings, state.observation, state.action)
    at = model.layout.views(state.weights)
    told: dict[str, Any] = {"name": "ppo", "role": "adversary" if adversary else "victim", "family": "PPO"}
    tensors: dict[str, Any] = {}
    for part in ("policy", "value"):
        told[part], numbers = model.pair.described(at, part)
        tensors |= numbers
    told["action_distribution"] = {"kind": "categorical", "acts": "sample"}
    if isinstance(state.action, Box):
        told["action_distribution"] = {"kind": "diagonal gaussian, state-independent", "acts": "sample"}
        tensors[LOG_STD] = at[LOG_STD].numpy().copy()
        told["clip_action"] = settings.actions != "raw"
        if adversary:
            told["proposals"] = int(np.prod(state.action.shape))
        if settings.actions == "hardtanh" and not adversary:
            told["rescale_action"] = True
            tensors[LOG_STD] += np.log(stretch(state.action)[1])  # in the action's own units, as files have it
    if settings.normalise_observations and state.seen.count > 0:
        told["observation_normalisation"] = {
            "formula": "clip((x - mean) / (std + epsilon), -clip, clip) in float64, then float32; frozen",
            "epsilon": ADDED,
            "clip": settings.observation_clip,
        }
        tensors |= {"obs_mean": state.seen.mean, "obs_std": state.seen.deviation}
    limits = None if isinstance(state.action, Discrete) else (state.action.low, state.action.high)
    kind = np.dtype(state.action.dtype)
    bounds = None if limits is None else (limits[0].astype(kind), limits[1].astype(kind))
    return NetworkPolicy({**told, **facts}, tensors, bounds)
