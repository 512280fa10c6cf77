"""Training of a robust critic by temporal differences; imported only where torch is needed."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring.errors import RefusedError
from sparring.simulated.spaces import Box
from sparring.streams import stream
from sparring_plugins.critics.critic import LearnedCritic, Scales, flat_network
from sparring_plugins.critics.robustness import Penalty, penalty_of
from sparring_plugins.critics.settings import CriticSettings
from sparring_plugins.critics.transitions import Transitions
from sparring_plugins.learners.adam import Adam, Averages
from sparring_plugins.learners.advantages import generalised_advantages
from sparring_plugins.learners.initial import orthogonal
from sparring_plugins.networks.mlp import Mlp
from sparring_plugins.networks.threads import threads_for
from sparring_plugins.propagation.schedules import Ramp

__all__ = ["CriticState", "advanced", "critic_of", "first_state"]

LIMIT = 1.0
"""Greatest norm of a gradient."""


@dataclass(frozen=True, eq=False)
class CriticState:
    """A critic between two epochs: all that the next one depends on, besides settings, transitions and seed."""

    scales: Scales
    weights: Tensor
    """Flat."""
    averages: Averages
    epochs: int = 0
    loss: float = float("nan")
    """Mean squared temporal difference in the last epoch, in squared deviations of the returns."""


def first_state(settings: CriticSettings, seen: Transitions, action: Box, seed: int) -> CriticState:
    """Before the first epoch."""
    sizes = _sizes(settings, seen)
    network, flat = flat_network(sizes)
    rng = stream(seed, "critic start", settings.start)
    gains = [*(2**0.5 for _ in sizes[1:-1]), 1.0]
    matrices = [part for part in network.parameters() if part.dim() == 2]
    with torch.no_grad():
        for part, gain in zip(matrices, gains, strict=True):
            part.copy_(torch.from_numpy(orthogonal(rng, part.shape[0], part.shape[1], gain)))
    return CriticState(Scales.of(seen, action, settings.discount), flat, Averages.none(len(flat)))


def advanced(settings: CriticSettings, state: CriticState, seen: Transitions, seed: int) -> CriticState:
    """One epoch: algorithm 6.10 on transitions that were collected before, since the policy stays as it is.

    Raises:
        RefusedError: the weights are no longer numbers.
    """
    with threads_for(0):  # one thread: what so small products sum to must not depend on how many there are
        return _epoch(settings, state, _Data.of(settings, state, seen), seed)


def critic_of(settings: CriticSettings, state: CriticState, seen: Transitions) -> LearnedCritic:
    """What was learned."""
    return LearnedCritic(state.scales, _sizes(settings, seen), state.weights.numpy().copy())


@dataclass(frozen=True, eq=False)
class _Data:
    """Transitions as the network takes them."""

    inputs: Tensor
    """[count, inputs]."""
    targets: Tensor
    """[count]."""

    @classmethod
    def of(cls, settings: CriticSettings, state: CriticState, seen: Transitions) -> _Data:
        """With targets by the weights that the state has."""
        network, flat = flat_network(_sizes(settings, seen))
        flat.copy_(state.weights)
        scales = state.scales
        with torch.no_grad():
            inputs = scales.inputs(_rows(seen.states))(_rows(seen.actions))
            values = _valued(network, inputs, scales, seen)
            reached = scales.inputs(_rows(seen.next_states))(_rows(seen.next_actions))
            following = _valued(network, reached, scales, seen)
        following[seen.terminated] = 0.0
        advantages = generalised_advantages(
            seen.rewards, values, following, seen.finished, settings.discount, settings.trace
        )
        targets = (values + advantages - scales.value_mean) / scales.value_deviation
        return cls(inputs, torch.from_numpy(targets.reshape(-1).astype(np.float32)))


def _epoch(settings: CriticSettings, state: CriticState, data: _Data, seed: int) -> CriticState:
    network, flat = flat_network((data.inputs.shape[1], settings.hidden, settings.hidden, 1))
    flat.copy_(state.weights)
    rng = stream(seed, "critic epoch", settings.start, state.epochs)
    draw = torch.Generator().manual_seed(int(rng.integers(2**31)))
    order, batches = rng.permutation(len(data.inputs)), max(1, len(data.inputs) // settings.batch)
    actions = len(state.scales.action_half)
    ramp = Ramp(settings.warmup, settings.warmup)
    penalty = penalty_of(settings.bounds, actions, 1 - ramp.at(state.epochs / settings.epochs), draw)
    averages, losses = state.averages, []
    for place, rows in enumerate(np.array_split(order, batches)):
        share = (state.epochs + place / batches) / settings.epochs
        radius = 2 * settings.radius * ramp.at(share)  # the network takes actions from -1 to 1
        loss, gradient = _loss(settings, network, data, torch.from_numpy(rows), penalty, radius)
        adam = Adam(averages, settings.rate * min(1.0, (1 - share) / settings.decline), LIMIT)
        adam.step(flat, gradient)
        averages = adam.averages
        losses.append(loss)
    if not bool(torch.isfinite(flat).all()):
        raise RefusedError(f"critic: weights are not numbers after epoch {state.epochs}; lower learning_rate")
    return replace(state, weights=flat, averages=averages, epochs=state.epochs + 1, loss=float(np.mean(losses)))


def _loss(
    settings: CriticSettings, network: Mlp, data: _Data, rows: Tensor, penalty: Penalty, radius: float
) -> tuple[float, Tensor]:
    """The squared temporal difference, and the gradient of `L_RS` (thesis, section 6.4.3), flat."""
    with torch.enable_grad():
        inputs = data.inputs[rows]
        values = network(inputs)[:, 0]
        error = (data.targets[rows] - values).square().mean()
        loss = error
        if settings.weight > 0 and radius > 0:
            loss = error + settings.weight * penalty(network, inputs, values, radius).mean()
        gradients = torch.autograd.grad(loss, list(network.parameters()))
    return float(error.detach()), torch.cat([part.reshape(-1) for part in gradients])


def _sizes(settings: CriticSettings, seen: Transitions) -> tuple[int, ...]:
    return (seen.states.shape[-1] + seen.actions.shape[-1], settings.hidden, settings.hidden, 1)


def _rows(array: NDArray[np.float32]) -> Tensor:
    """[steps, batch, n] as [steps * batch, n]."""
    return torch.from_numpy(array.reshape(-1, array.shape[-1]))


def _valued(network: Mlp, inputs: Tensor, scales: Scales, seen: Transitions) -> NDArray[np.float64]:
    """Values in the world's rewards, [steps, batch]."""
    flat = network(inputs)[:, 0].double().numpy()
    return np.asarray(scales.value_mean + scales.value_deviation * flat).reshape(seen.rewards.shape)
