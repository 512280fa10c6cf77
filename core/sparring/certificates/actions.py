"""Discrete actions: which of them a greedy policy may take anywhere in a region."""

from __future__ import annotations

from dataclasses import dataclass, fields
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from sparring.bounds import BoundBackend, Region
from sparring.certificates._bounding import backend_of, bounds_of, check_inside, part_of
from sparring.certificates._margins import Margins, margins_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["CertifiedActions", "certify_actions"]

Floats = NDArray[np.float64]
CHUNK = 2**18
"""Numbers of observations bounded in one call: more only cost memory."""


@dataclass(frozen=True, eq=False)
class CertifiedActions:
    """What is proved of the greedy action of each sample."""

    values: Floats
    """Action values or logits at the centres of the region, [batch, actions]."""
    nominal: NDArray[np.int64]
    """Greedy action at the centres, [batch]."""
    certified: NDArray[np.bool_]
    """Whether the greedy action is provably the same everywhere in the region, [batch]."""
    possible: NDArray[np.bool_]
    """Actions that may be greedy somewhere in the region, [batch, actions]; the others provably are nowhere."""
    lead: Floats
    """Upper bound of `max Q(a) - Q(a*)` over the region and the other actions, [batch]; inf where unknown."""

    @property
    def rate(self) -> float:
        """Share of the samples whose action is certified: the action certification rate of a rollout."""
        return float(self.certified.mean()) if len(self.certified) else 0.0


def certify_actions(
    module: nn.Module, region: Region, method: str | BoundBackend = "crown", *, possible: bool = True
) -> CertifiedActions:
    """Prove what can be proved of a greedy policy's action in a region (thesis, 6.3.1.4).

    An action is certified when the upper bound of `Q(a) - Q(a*)` is below 0 for every other action; equal values at
    the centre, and values that are not numbers, are never certified. An action is impossible when some other action
    is provably strictly ahead of it in the whole region. The nominal action is always possible.

    Args:
        module: from observations to action values or logits, [batch, actions].
        region: where the observation of each sample may lie; its centre is the true one.
        method: a bound backend or its name.
        possible: whether to compare all pairs of actions where the nominal one is not certified; without it all
            actions remain possible there.

    Raises:
        RefusedError: the backend has no rule for an operation of the module.
        ArithmeticError: the backend's bounds leave out what is true at the centre.
    """
    backend, batch = backend_of(method), len(region.center)
    size = max(1, CHUNK // max(1, region.center[:1].numel()))
    if batch <= size:
        return _certified(module, region, backend, possible)
    rows = [np.arange(start, min(start + size, batch)) for start in range(0, batch, size)]
    parts = [_certified(module, part_of(region, row), backend, possible) for row in rows]
    names = [field.name for field in fields(CertifiedActions)]
    return CertifiedActions(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def _certified(module: nn.Module, region: Region, backend: BoundBackend, possible: bool) -> CertifiedActions:
    margins = margins_of(module, region, backend)
    certified = margins.certified
    left: NDArray[np.bool_] = np.ones(margins.values.shape, dtype=np.bool_)
    left[certified] = np.eye(left.shape[1], dtype=np.bool_)[margins.nominal[certified]]
    open_ = np.flatnonzero(~certified & np.isfinite(margins.values).all(axis=1))
    if possible and len(open_):
        left[open_] = _unbeaten(module, part_of(region, open_), backend, margins, open_)
    left[np.arange(len(left)), margins.nominal] = True
    return CertifiedActions(margins.values, margins.nominal, certified, left, margins.lead)


def _unbeaten(
    module: nn.Module, region: Region, backend: BoundBackend, margins: Margins, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Actions that no other is provably strictly ahead of, [rows, actions]."""
    values = margins.values[rows]
    actions = values.shape[1]
    pairs = np.asarray(list(combinations(range(actions), 2)))
    first, second = pairs[:, 0], pairs[:, 1]
    low, high = bounds_of(module, region, backend, np.eye(actions)[first] - np.eye(actions)[second])
    size = np.abs(values).max(axis=1, keepdims=True)
    check_inside(values[:, first] - values[:, second], low, high, size, backend, region.center.dtype)
    unbeaten = np.ones(values.shape, dtype=np.bool_)
    for pair, (one, other) in enumerate(zip(first, second, strict=True)):
        unbeaten[:, other] &= ~(low[:, pair] > 0)
        unbeaten[:, one] &= ~(high[:, pair] < 0)
    return unbeaten
