"""The action certification rate of a rollout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparring.access import Ball
from sparring.bounds import BoundBackend
from sparring.certificates.actions import certify_actions
from sparring.certificates.regions import Normalisation, observation_region
from sparring.errors import RequestError

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CertifiedRollout", "certify_rollout"]


@dataclass(frozen=True, eq=False)
class CertifiedRollout:
    """Which steps of a rollout would have gone the same under every attack of one step."""

    certified: NDArray[np.bool_]
    """Steps whose action is certified and was the one taken, [steps]."""
    nominal: NDArray[np.int64]
    """Greedy action of each step, [steps]."""

    @property
    def rate(self) -> float:
        """Action certification rate (thesis, table 6.5)."""
        return float(self.certified.mean()) if len(self.certified) else 0.0


def certify_rollout(
    module: nn.Module,
    observations: NDArray[np.generic],
    ball: Ball,
    radius: float,
    method: str | BoundBackend = "crown",
    *,
    taken: NDArray[np.integer] | None = None,
    normalisation: Normalisation | None = None,
) -> CertifiedRollout:
    """Certify all steps of a rollout in one batched call.

    Args:
        module: from observations to action values or logits.
        observations: what was true at each step, [steps, *features].
        ball: norm, scale and domain of the attacker's change.
        radius: the budget.
        method: a bound backend or its name.
        taken: actions that the policy took, [steps]; a step at which it did not act greedily is not certified.
        normalisation: see `observation_region`.

    Raises:
        RequestError: `taken` has another length.
        RefusedError: the backend has no rule for an operation of the module.
    """
    region = observation_region(ball, radius, observations, module, normalisation=normalisation)
    found = certify_actions(module, region, method, possible=False)
    if taken is None:
        return CertifiedRollout(found.certified, found.nominal)
    if np.shape(taken) != found.nominal.shape:
        shape = list(np.shape(taken))
        raise RequestError(f"rollout: actions of shape {shape}, expected {list(found.nominal.shape)}")
    return CertifiedRollout(found.certified & (np.asarray(taken) == found.nominal), found.nominal)
