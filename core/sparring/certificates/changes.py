"""Continuous actions along a rollout: how far an attack of one step can move each (thesis, tables 6.6 and 6.7)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificates._bounding import backend_of
from sparring.certificates.gaussian import GaussianChange, gaussian_change
from sparring.certificates.ranges import OutputRange, output_range
from sparring.certificates.regions import observation_region

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ActionChange", "action_change"]

Floats = NDArray[np.float64]
CHUNK = 1024
"""States bounded in one call: more only cost memory."""


@dataclass(frozen=True, eq=False)
class ActionChange:
    """Upper bounds at every state, [states] each; infinite where nothing could be proved."""

    l1: Floats
    """`||pi(s_hat) - pi(s)||_1` for any `s_hat` in the ball around `s`."""
    l2: Floats
    linf: Floats
    width: Floats
    """Average width of the ranges of the single actions."""
    divergence: Floats | None
    """`KL(pi(.|s) || pi(.|s_hat))` in nats; None for policies that are not Gaussian."""
    total_variation: Floats | None
    """At most 1."""

    def facts(self) -> dict[str, Any]:
        """Mean and greatest bound over the states, as JSON values; null where a state is unknown."""
        told = {name: _summary(values) for name, values in vars(self).items() if values is not None}
        return {"states": len(self.linf), "unknown_states": int((~np.isfinite(self.linf)).sum()), **told}


def action_change(
    module: nn.Module,
    observations: NDArray[np.generic],
    ball: Ball,
    radius: float,
    method: str | BoundBackend = "crown",
    *,
    deviation: NDArray[np.generic] | None = None,
    states: Tensor | None = None,
) -> ActionChange:
    """Bound the change of a policy's action at every state of a rollout, by an attack of that step alone.

    Args:
        module: from observations to actions or means, [batch, actions]; with `states` one step of a recurrent
            network, from observations and states to these and the next states.
        observations: what was true at each step, [states, *features], in the space in which the ball is measured.
        ball: norm, scale and domain of the attacker's change.
        radius: the budget.
        method: a bound backend or its name.
        deviation: standard deviation of each action of a Gaussian policy, the same for every observation, [actions].
        states: what a recurrent network had before each step, unattacked, [states, width].

    Raises:
        RequestError: no observations, or shapes that do not fit.
        RefusedError: the backend has no rule for an operation of the module.
        ArithmeticError: the backend's bounds leave out what is true at an observation.
    """
    backend = backend_of(method)
    rows = [slice(start, start + CHUNK) for start in range(0, max(1, len(observations)), CHUNK)]
    parts = [_part(module, observations[row], ball, radius, backend, _of(states, row)) for row in rows]
    found = OutputRange(*(np.concatenate([getattr(part, name) for part in parts]) for name in _RANGE))
    moved: GaussianChange | None = None if deviation is None else gaussian_change(found, deviation=deviation)
    return ActionChange(
        l1=found.distance("1"),
        l2=found.distance("2"),
        linf=found.distance("inf"),
        width=found.width,
        divergence=None if moved is None else moved.divergence,
        total_variation=None if moved is None else moved.total_variation,
    )


_RANGE = ("nominal", "low", "high")


def _of(states: Tensor | None, row: slice) -> Tensor | None:
    return None if states is None else states[row]


def _part(
    module: nn.Module,
    observations: NDArray[np.generic],
    ball: Ball,
    radius: float,
    backend: BoundBackend,
    states: Tensor | None,
) -> OutputRange:
    region = observation_region(ball, radius, observations, module)
    if states is None:
        return output_range(module, region, backend)
    from sparring.certificates._joined import JoinedStep, joined_region

    step = JoinedStep(module, observations.shape[1:], only_values=True)
    return output_range(step, joined_region(region, states, states, states), backend)


def _summary(values: Floats) -> dict[str, float | None]:
    """Mean and greatest of some bounds; None where one of them is infinite."""
    figures = {"mean": float(values.mean()), "greatest": float(values.max())}
    return {name: value if np.isfinite(value) else None for name, value in figures.items()}
