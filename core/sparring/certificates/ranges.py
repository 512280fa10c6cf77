"""Continuous actions: where a deterministic policy's action stays, and how far it can be moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.bounds import BoundBackend, Region
from sparring.certificates._bounding import backend_of, bounds_of, check_inside, outputs_of
from sparring.certificates.outward import above, euclidean_above, sum_above
from sparring.errors import RequestError
from sparring.projection import Norm

if TYPE_CHECKING:
    from torch import nn

__all__ = ["OutputRange", "output_range"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class OutputRange:
    """Where each output of a network stays in a region; infinite where nothing could be proved."""

    nominal: Floats
    """At the centres, [batch, outputs]."""
    low: Floats
    """[batch, outputs]."""
    high: Floats
    """[batch, outputs]."""

    @property
    def change(self) -> Floats:
        """Greatest distance of each output from the nominal one, never too small, [batch, outputs]."""
        with np.errstate(invalid="ignore"):
            either = np.maximum(self.high - self.nominal, self.nominal - self.low)
        # NaN must not become 0, and a nominal value may lie outside its range by the rounding of one batch.
        return np.where(np.isnan(either), np.inf, above(np.maximum(either, 0.0)))

    def distance(self, norm: Norm) -> Floats:
        """Upper bound of `||pi(s_hat) - pi(s)||` (thesis, equation 6.11), [batch].

        Made of the changes of single outputs, so for norms "1" and "2" it is attained only if all of them can be at
        once; for "inf" it is as tight as the ranges.
        """
        if norm not in ("inf", "2", "1"):
            raise RequestError(f"distance: norm {norm!r}, choose from: '1', '2', 'inf'")
        change = self.change
        if norm == "inf":
            return np.asarray(change.max(axis=1, initial=0.0))
        return sum_above(change) if norm == "1" else euclidean_above(change)

    @property
    def width(self) -> Floats:
        """Average width of the ranges, `||high - low||_1 / outputs` (thesis, table 6.6), [batch]."""
        return np.asarray(sum_above(above(self.high - self.low)) / self.low.shape[1])

    def columns(self, first: int, last: int) -> OutputRange:
        """Some of the outputs, from `first` to before `last`."""
        return OutputRange(self.nominal[:, first:last], self.low[:, first:last], self.high[:, first:last])

    def clipped(self, low: Any, high: Any) -> OutputRange:
        """After each output is clipped to a box of legal actions, as the policy or the simulator does."""
        return OutputRange(*(np.clip(part, low, high) for part in (self.nominal, self.low, self.high)))


def output_range(module: nn.Module, region: Region, method: str | BoundBackend = "crown") -> OutputRange:
    """Bound each output of a network in a region.

    Args:
        module: from observations to actions, means or whatever it gives, [batch, outputs].
        region: where the observation of each sample may lie; its centre is the true one.
        method: a bound backend or its name.

    Raises:
        RefusedError: the backend has no rule for an operation of the module.
        ArithmeticError: the backend's bounds leave out what is true at the centre.
    """
    backend = backend_of(method)
    nominal = outputs_of(module, region)
    low, high = bounds_of(module, region, backend, None)
    size = np.max(np.abs(nominal), axis=1, keepdims=True, where=np.isfinite(nominal), initial=0.0)
    check_inside(nominal, low, high, size, backend, region.center.dtype)
    return OutputRange(nominal, low, high)
