"""How far each other action stays behind the greedy one anywhere in a region."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.bounds import BoundBackend, Region
from sparring.certificates._bounding import bounds_of, check_inside, outputs_of

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Margins", "margins_of"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Margins:
    """What is known of the lead that another action may have over the nominal greedy one."""

    values: Floats
    """Outputs at the centres, [batch, actions]."""
    nominal: NDArray[np.int64]
    """Greedy action at the centres, the first of equals, [batch]."""
    lead: Floats
    """Upper bound of the greatest lead of another action, [batch]; -inf where there is no other, inf if unknown."""

    @property
    def certified(self) -> NDArray[np.bool_]:
        """Where the nominal action is strictly ahead everywhere in the region, and at its centre, [batch]."""
        return np.asarray((self.lead < 0) & self.ahead)

    @property
    def ahead(self) -> NDArray[np.bool_]:
        """Where all outputs are numbers and no other action equals the nominal one at the centre, [batch]."""
        best = np.take_along_axis(self.values, self.nominal[:, None], axis=1)
        return np.asarray(np.isfinite(self.values).all(axis=1) & ((self.values >= best).sum(axis=1) == 1))


def margins_of(module: nn.Module, region: Region, backend: BoundBackend) -> Margins:
    """Bound `Q(a) - Q(a*)` for every other action in one call (thesis, equation 6.9).

    Raises:
        ArithmeticError: the bounds leave out the margins at the centre, so the backend is not sound.
    """
    values = outputs_of(module, region)
    batch, actions = values.shape
    nominal = values.argmax(axis=1)
    if actions == 1 or batch == 0:
        alone = np.where(np.isfinite(values).all(axis=1), -np.inf, np.inf)
        return Margins(values, nominal, alone)
    others = np.asarray([[a for a in range(actions) if a != best] for best in nominal])
    spec = np.eye(actions)[others] - np.eye(actions)[nominal][:, None]
    low, high = bounds_of(module, region, backend, spec)
    with np.errstate(invalid="ignore"):
        leads = np.take_along_axis(values, others, axis=1) - values[np.arange(batch), nominal][:, None]
    check_inside(leads, low, high, _size(values), backend, region.center.dtype)
    return Margins(values, nominal, high.max(axis=1))


def _size(values: Floats) -> Any:
    return np.max(np.abs(values), axis=1, keepdims=True, where=np.isfinite(values), initial=0.0)
