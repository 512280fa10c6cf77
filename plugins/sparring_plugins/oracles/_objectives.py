"""What gradient attacks raise, as functions of what the victim is shown; imported only where torch is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.acting import HasCritics, HasDeviation, HasInputGradient
from sparring.errors import RefusedError
from sparring.simulated.attackers import AttackView
from sparring.simulated.spaces import Discrete
from sparring_plugins.critics.transitions import features_of
from sparring_plugins.networks.threads import threads_for
from sparring_plugins.oracles._critic_attacker import CriticAttacker
from sparring_plugins.oracles._gradient_attacker import GradientAttacker

__all__ = ["Goal", "directed", "goal_of"]

Floats = NDArray[np.float64]
WORK = 1 << 12
"""Multiplications of a small network for one input: what decides about threads where nothing better is known."""


@dataclass(frozen=True, eq=False)
class Goal:
    """An objective, one number for each episode, each of which depends on its own row alone."""

    of: Callable[[Tensor], Tensor]
    """From what is shown [batch, *observation] to [batch]."""

    def height(self, shown: NDArray[Any]) -> Floats:
        """[batch]."""
        with torch.no_grad(), threads_for(len(shown) * WORK):
            return np.asarray(self.of(torch.tensor(shown)).double().numpy())

    def gradient(self, shown: NDArray[Any]) -> Floats:
        """[batch, *observation]."""
        with torch.enable_grad(), threads_for(len(shown) * WORK):
            point = torch.tensor(shown).requires_grad_()
            (found,) = torch.autograd.grad(self.of(point).sum(), point)
            return np.asarray(found.double().numpy())


def goal_of(attacker: GradientAttacker, view: AttackView) -> Goal:
    """The objective of an attacker in one view.

    Raises:
        RefusedError: the victim lacks what it takes.
    """
    outputs = _outputs_of(view)
    with torch.no_grad(), threads_for(len(view.seen) * WORK):
        nominal = outputs(torch.tensor(np.asarray(view.seen)))
    discrete = isinstance(view.action, Discrete)
    if isinstance(attacker, CriticAttacker):
        return Goal(_mixed_of(attacker, view, outputs, nominal))
    if attacker.objective == "divergence":
        return Goal(_divergence_of(outputs, nominal, None if discrete else _weights(view.victim, nominal), discrete))
    if attacker.objective == "departure":
        return Goal(_departure_of(outputs, nominal, discrete))
    if attacker.objective == "min-q":
        return Goal(lambda shown: -(torch.softmax(_standard(outputs(shown)), dim=1) * nominal).sum(dim=1))
    return Goal(_critic_of(attacker.network, view, outputs))


def directed(view: AttackView, directions: NDArray[Any]) -> Goal:
    """How far the outputs, or the log-probabilities of choices, go in directions [batch, outputs].

    Raises:
        RefusedError: the victim offers no gradients.
    """
    outputs, along = _outputs_of(view), torch.tensor(directions)
    if isinstance(view.action, Discrete):
        return Goal(lambda shown: (torch.log_softmax(outputs(shown), dim=1) * along).sum(dim=1))
    return Goal(lambda shown: (outputs(shown) * along).sum(dim=1))


def _outputs_of(view: AttackView) -> Callable[[Tensor], Tensor]:
    """The victim's outputs [batch, outputs] in what it is shown, one step alone, with the state that it has now."""
    victim = view.victim
    if not isinstance(victim, HasInputGradient):
        raise RefusedError(f"gradients: {type(victim).__name__} offers none")
    return lambda shown: victim.outputs(shown, view.memory)


def _divergence_of(
    outputs: Callable[[Tensor], Tensor], nominal: Tensor, weights: Tensor | None, discrete: bool
) -> Callable[[Tensor], Tensor]:
    """`KL(pi(.|s) || pi(.|s_hat))` (thesis, 6.4.4); with equal covariances, equation 6.16 halved."""
    if discrete:
        logs = torch.log_softmax(nominal, dim=1)
        return lambda shown: (logs.exp() * (logs - torch.log_softmax(outputs(shown), dim=1))).sum(dim=1)
    assert weights is not None
    return lambda shown: ((outputs(shown) - nominal).square() * weights).sum(dim=1) / 2


def _departure_of(outputs: Callable[[Tensor], Tensor], nominal: Tensor, discrete: bool) -> Callable[[Tensor], Tensor]:
    """Distance from the nominal action, or cross-entropy with it (thesis, equation 6.15)."""
    if discrete:
        taken = nominal.argmax(dim=1)
        return lambda shown: nn.functional.cross_entropy(outputs(shown), taken, reduction="none")
    return lambda shown: (outputs(shown) - nominal).square().sum(dim=1)


def _mixed_of(
    attacker: CriticAttacker, view: AttackView, outputs: Callable[[Tensor], Tensor], nominal: Tensor
) -> Callable[[Tensor], Tensor]:
    """The critic's displeasure, the divergence, or a mixture (thesis, section 6.4.5), each in its own unit."""
    critic, mix = attacker.critic, attacker.mix
    assert critic is not None  # the oracle has trained it
    judge = critic.judging(torch.tensor(features_of(view.victim, view.seen)))
    parts: list[tuple[float, Callable[[Tensor], Tensor]]] = []
    if mix > 0:
        parts.append((mix / attacker.critic_unit, lambda shown: -judge(outputs(shown).float())))
    if mix < 1:
        divergence = _divergence_of(outputs, nominal, _weights(view.victim, nominal), discrete=False)
        parts.append(((1 - mix) / attacker.divergence_unit, divergence))
    (first, one), *rest = parts
    return lambda shown: sum((weight * part(shown) for weight, part in rest), first * one(shown))


def _weights(victim: object, nominal: Tensor) -> Tensor:
    """Inverse variances, [outputs]; 1 where the policy is no Gaussian (thesis, 6.4.4)."""
    deviation = victim.deviation if isinstance(victim, HasDeviation) else None
    if deviation is None:
        return torch.ones_like(nominal[0])
    return torch.tensor(np.asarray(deviation, dtype=np.float64) ** -2).to(nominal.dtype)


def _standard(values: Tensor) -> Tensor:
    """Action values in units of their own spread, so that a softmax of them is neither flat nor one-hot."""
    spread = values.detach().std(dim=1, keepdim=True)
    return 4 * (values - values.mean(dim=1, keepdim=True)) / torch.where(spread > 0, spread, torch.ones_like(spread))


def _critic_of(name: str, view: AttackView, outputs: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """`-Q(s, pi(s_hat))` (thesis, equation 6.14), or `-V(s_hat)` where the file has no Q."""
    victim = view.victim
    assert isinstance(victim, HasCritics)  # the oracle has seen to that
    judge = victim.network(name)
    truth = torch.tensor(np.asarray(view.seen)).float()
    if name == "value":
        return lambda shown: -judge(shown.float())[:, 0]
    return lambda shown: -judge(torch.cat([truth, outputs(shown).float()], dim=1))[:, 0]
