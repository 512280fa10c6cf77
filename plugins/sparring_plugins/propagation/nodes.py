"""The operations of a network as bound propagation sees them: what is affine, what is not."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import Curve
from sparring_plugins.propagation.ends import Ends, widened
from sparring_plugins.propagation.middles import middles, reaches
from sparring_plugins.propagation.rounding import floor_of, share_of, tiny_of, unsure_of

__all__ = ["Affine", "Elementwise", "Input", "Interval", "Node", "Planar", "Planes", "magnitude"]


class Interval(NamedTuple):
    """Least and greatest value of each element, [batch, *shape]."""

    low: Tensor
    high: Tensor

    def met(self, other: Interval) -> Interval:
        """What lies in both."""
        return Interval(torch.maximum(self.low, other.low), torch.minimum(self.high, other.high))


def magnitude(interval: Interval) -> Tensor:
    """The largest absolute value in each interval."""
    return torch.maximum(interval.high, -interval.low)


class Node(ABC):
    """One operation; `inputs` are places of earlier nodes in the graph, `shape` is without the batch."""

    parts: int = 0
    """How many nodes the graph has: their shares of a bound are added up."""

    def __init__(self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...]) -> None:
        self.name, self.inputs, self.shape = name, inputs, shape

    @abstractmethod
    def value(self, *inputs: Tensor) -> Tensor:
        """The operation itself on tensors [batch, *shape]."""

    @abstractmethod
    def interval(self, *inputs: Interval) -> Interval:
        """A box around what the victim computes from inputs in these boxes, rounding included."""

    def ends(self, *inputs: Ends) -> Ends:
        """The same with both ends in one tensor; nodes that do better have their own."""
        return Ends(torch.stack(self.interval(*(Interval(*x.tight().both.unbind()) for x in inputs))))


class Input(Node):
    """Where the region enters."""

    def value(self, *inputs: Tensor) -> Tensor:
        """The input."""
        return inputs[0]

    def interval(self, *inputs: Interval) -> Interval:
        """The box around the region."""
        return inputs[0]


class Affine(Node):
    """`sum_i W_i x_i + b`; subclasses give the four ways in which that matrix is met."""

    terms: int = 1
    """Most products in one sum, of the map or of its adjoint; 0 where values are only moved, without rounding."""

    @property
    def rises(self) -> bool:
        """Whether no coefficient is negative, so that ends come of ends, and what has a sign keeps it."""
        return False

    @property
    def fan(self) -> int:
        """Most terms in one sum of the map itself, the bias among them."""
        return self.terms

    @property
    def back(self) -> int:
        """Most products in one sum of the adjoint."""
        return self.terms

    @abstractmethod
    def spread(self, *radii: Tensor) -> Tensor:
        """`sum_i |W_i| r_i` for radii [batch, *shape]."""

    @abstractmethod
    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """`rows W_i` for each input; rows [count, *shape] give [count, *shape of the input]. None for no share."""

    def bias(self) -> Tensor | None:
        """`b`, broadcasts against `shape`; None for none."""
        return None

    def bulk(self) -> Tensor | None:
        """The size of all that is added beside the products, for rounding; None for none."""
        shift = self.bias()
        return None if shift is None else shift.abs()

    def interval(self, *inputs: Interval) -> Interval:
        """Centre and radius through `W` and `|W|` (Gowal et al. 2018, section 3)."""
        if self.terms == 0:
            return Interval(self.value(*(x.low for x in inputs)), self.value(*(x.high for x in inputs)))
        share, bulk = share_of(self.fan, inputs[0].low.dtype, 0.0), self._still_bulk()
        if self.rises:
            return self._risen(share, inputs)
        pairs = [middles(*x, share, 0.0, x.low.dtype, sized=False) for x in inputs]
        middle, radius = self.value(*(pair[0] for pair in pairs)), self.spread(*(pair[1] for pair in pairs))
        if bulk is not None:
            radius = torch.add(radius, bulk, alpha=share)
        return Interval(middle - radius, middle + radius)

    def ends(self, *inputs: Ends) -> Ends:
        """As `interval`; see `ends` for why it holds."""
        if self.terms == 0:
            flat = (x.both.flatten(0, 1) for x in inputs)
            errors = (max(x.loose for x in inputs), max(x.off for x in inputs))
            return Ends(self.value(*flat).unflatten(0, (2, -1)), *errors)
        if self.rises:
            boxes = [Interval(*x.tight().both.unbind()) for x in inputs]
            return Ends(torch.stack(self._risen(share_of(self.fan, inputs[0].both.dtype, 0.0), boxes)))
        share = share_of(self.fan, inputs[0].both.dtype, max(x.loose for x in inputs))
        pairs = [reaches(x.both, share, x.off) for x in inputs]
        return Ends(self.ends_around([pair[0] for pair in pairs], [pair[1] for pair in pairs], share))

    def _risen(self, share: float, inputs: Sequence[Interval]) -> Interval:
        """Each end moved outward by a share of its own terms; of numbers that are not negative no sum is."""
        low, high = (self.value(*(x[side] for x in inputs)) for side in range(2))
        with torch.no_grad():
            below, above = (share * self._width([x[side].abs() for x in inputs]) for side in range(2))
            signed, bias = self.spread(*((x.low < 0).to(low.dtype) for x in inputs)) == 0, self.bias()
            if bias is not None:
                signed = signed & (bias >= 0)
        low = low - below
        return Interval(torch.where(signed, low.clamp_min(0), low), high + above)

    def ends_around(self, centers: Sequence[Tensor], reaches: Sequence[Tensor], share: float) -> Tensor:
        """Both ends, [2, batch, *shape], for inputs within `share * reach` of centres."""
        return widened(self.value(*centers), self._width(reaches), share)

    def _width(self, reaches: Sequence[Tensor]) -> Tensor:
        """`|W| reach + |b|`, and never zero."""
        width, bulk = self.spread(*reaches), self._still_bulk()
        floor = floor_of(width)
        return width + (floor if bulk is None else torch.hypot(bulk, floor))

    def interval_and_error(self, *inputs: Interval) -> tuple[Interval, Tensor | None]:
        """The interval, and a bound [batch, *shape] on rounding here for each unit of a row; None for none.

        The victim errs by `gamma (|W||x| + |b|)`; coefficients `rows W` and `rows b` computed in floats err likewise
        for each unit of `rows`, with a `gamma` of their own.
        """
        if self.terms == 0:
            return self.interval(*inputs), None
        dtype = inputs[0].low.dtype
        share, bulk = share_of(self.fan, dtype, 0.0), self._still_bulk()
        if self.rises:
            found = self._risen(share, inputs)
            with torch.no_grad():
                size = self.spread(*map(magnitude, inputs))
        else:
            pairs = [middles(*x, share, 0.0, dtype, sized=True) for x in inputs]
            radius, size = self._spread_both([pair[1] for pair in pairs])
            if bulk is not None:
                radius = torch.add(radius, bulk, alpha=share)
            middle = self.value(*(pair[0] for pair in pairs))
            found = Interval(middle - radius, middle + radius)
        error = torch.add(tiny_of(self.terms + self.parts, size), size, alpha=self.unsure(dtype))
        return found, error if bulk is None else torch.add(error, bulk, alpha=self.unsure_bias(dtype))

    def unsure(self, dtype: torch.dtype) -> float:
        """Rounding for each unit of a row, as a share of `|W||x|`."""
        return unsure_of(self.fan, self.back + self.parts, dtype)

    def unsure_bias(self, dtype: torch.dtype) -> float:
        """The same of `|b|`; in single precision `rows b` is summed in double."""
        count = self.back if dtype is torch.float32 else max(self.back, math.prod(self.shape))
        return unsure_of(self.fan, count + self.parts, dtype)

    def _spread_both(self, both: Sequence[Tensor]) -> Sequence[Tensor]:
        """Radii with sizes behind them through `|W|`: in one product, or apart where only radii are differentiated."""
        if not torch.is_grad_enabled():
            return self.spread(*both).chunk(2)
        radius = self.spread(*(pair.chunk(2)[0] for pair in both))
        with torch.no_grad():
            return radius, self.spread(*(pair.chunk(2)[1] for pair in both))

    def _still_bulk(self) -> Tensor | None:
        """`bulk` without its history: rounding is no matter of gradients."""
        if not torch.is_grad_enabled():
            return self.bulk()
        with torch.no_grad():
            return self.bulk()

    def error(self, *inputs: Interval) -> Tensor | None:
        """The bound on rounding alone."""
        return None if self.terms == 0 else self.interval_and_error(*inputs)[1]


class Elementwise(Node):
    """A curve applied to each element."""

    def __init__(self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], curve: Curve) -> None:
        super().__init__(name, inputs, shape)
        self.curve = curve

    def value(self, *inputs: Tensor) -> Tensor:
        """The curve at each element."""
        return self.curve.value(inputs[0])

    def interval(self, *inputs: Interval) -> Interval:
        """The curve's image, widened by how inexactly it is computed."""
        return Interval(*self.curve.box(*inputs[0]))

    def ends(self, *inputs: Ends) -> Ends:
        """The values at both ends, where the curve nowhere falls; their errors are left to what comes next."""
        found = self.curve.at_ends(inputs[0].tight().both)
        return super().ends(*inputs) if found is None else found


@dataclass(frozen=True, eq=False)
class Planes:
    """`sum_i lower[i] x_i + lower_intercept <= f(x) <= sum_i upper[i] x_i + upper_intercept`, each [batch, *shape].

    They hold in exact arithmetic for every `x` of the box they were made for.
    """

    lower: tuple[Tensor, ...]
    lower_intercept: Tensor
    upper: tuple[Tensor, ...]
    upper_intercept: Tensor


class Planar(Node):
    """A function of several nodes of its own shape, element by element, such as a product."""

    @abstractmethod
    def planes(self, *inputs: Interval) -> Planes:
        """A plane below and one above for inputs in these boxes."""

    def other_planes(self, *inputs: Interval) -> Planes | None:
        """Another choice of both, as mixtures of sound planes are sound, for optimised bounds; None for none."""
        return None

    @abstractmethod
    def error(self, *inputs: Interval) -> Tensor | float:
        """Bound on the rounding of the victim's result, [batch, *shape]."""
