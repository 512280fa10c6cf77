"""Values that change place: permuted, sliced, picked by index, repeated, and several nodes side by side."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from sparring_plugins.propagation.affine import Reshaped, shrunk
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.nodes import Affine, Interval, Node

__all__ = ["Expanded", "Flipped", "Joined", "Permuted", "Picked", "Rolled", "Sliced", "is_move"]


class _Moved(Affine):
    """No value is computed, so nothing rounds on the way; the radii and the ends of boxes move as the values do."""

    terms = 0

    def __init__(self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...]) -> None:
        super().__init__(name, (source,), shape)
        self._entry = entry

    def spread(self, *radii: Tensor) -> Tensor:
        """The same move."""
        return self.value(*radii)

    def interval(self, *inputs: Interval) -> Interval:
        """The ends move as the values do."""
        return Interval(self.value(inputs[0].low), self.value(inputs[0].high))

    def ends(self, *inputs: Ends) -> Ends:
        """Likewise."""
        return Ends(self.value(inputs[0].both.flatten(0, 1)).unflatten(0, (2, -1)), *inputs[0][1:])

    def interval_and_error(self, *inputs: Interval) -> tuple[Interval, Tensor | None]:
        """No error of the victim's; that of a backward pass where it adds up coefficients."""
        error = None if self.terms == 0 else super().interval_and_error(*inputs)[1]
        return self.interval(*inputs), error


class Permuted(_Moved):
    """Dimensions in another order; `order` counts the batch as 0 and leaves it in front."""

    def __init__(
        self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...], order: tuple[int, ...]
    ) -> None:
        super().__init__(name, source, shape, entry)
        self._order = order
        self._inverse = tuple(order.index(place) for place in range(len(order)))

    def value(self, *inputs: Tensor) -> Tensor:
        """The permuted values."""
        return inputs[0].permute(self._order)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The inverse permutation."""
        return (rows.permute(self._inverse),)


class Flipped(_Moved):
    """Dimensions backward; `dims` count the batch as 0."""

    def __init__(self, name: str, source: int, shape: tuple[int, ...], dims: tuple[int, ...]) -> None:
        super().__init__(name, source, shape, shape)
        self._dims = dims

    def value(self, *inputs: Tensor) -> Tensor:
        """The flipped values."""
        return inputs[0].flip(self._dims)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Flipped back."""
        return (rows.flip(self._dims),)


class Rolled(_Moved):
    """The last dimension turned in a circle: place `i` takes from place `i + shift`."""

    def __init__(self, name: str, source: int, shape: tuple[int, ...], shift: int) -> None:
        super().__init__(name, source, shape, shape)
        self._shift = shift

    def value(self, *inputs: Tensor) -> Tensor:
        """The turned values."""
        return inputs[0].roll(-self._shift, -1)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Turned back."""
        return (rows.roll(self._shift, -1),)


class Sliced(_Moved):
    """Every `step`-th place of one dimension from `start` to before `stop`; `dim` counts the batch as 0."""

    def __init__(
        self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...], dim: int, part: slice
    ) -> None:
        super().__init__(name, source, shape, entry)
        self._dim, self._part = dim, part
        self._index = (*[slice(None)] * dim, part)

    def value(self, *inputs: Tensor) -> Tensor:
        """The slice."""
        return inputs[0][self._index]

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Zeros wherever nothing was taken from."""
        sizes, part = [rows.shape[0], *self._entry], self._part
        back: Tensor = torch.ops.aten.slice_backward(rows, sizes, self._dim, part.start, part.stop, part.step)
        return (back,)


class Picked(_Moved):
    """Places of one dimension by their numbers, which may repeat; `dim` counts the batch as 0."""

    def __init__(
        self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...], dim: int,
        numbers: Callable[[], Tensor],
    ) -> None:  # fmt: skip
        super().__init__(name, source, shape, entry)
        self._dim, self._numbers = dim, numbers
        repeats = int(torch.bincount(numbers()).max()) if numbers().numel() else 1
        self.terms = 0 if repeats == 1 else repeats

    def value(self, *inputs: Tensor) -> Tensor:
        """The values at those places."""
        return inputs[0].index_select(self._dim, self._numbers())

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Each back to its place, summed where a place was taken several times."""
        return (rows.new_zeros(rows.shape[0], *self._entry).index_add(self._dim, self._numbers(), rows),)


class Expanded(_Moved):
    """Dimensions of width 1 repeated."""

    def __init__(self, name: str, source: int, shape: tuple[int, ...], entry: tuple[int, ...]) -> None:
        super().__init__(name, source, shape, entry)
        self.terms = math.prod(shape) // max(1, math.prod(entry))

    def value(self, *inputs: Tensor) -> Tensor:
        """The repeated values."""
        return inputs[0].expand(-1, *self.shape)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Summed over the repetitions."""
        return (shrunk(rows, self._entry),)


class Joined(Affine):
    """Nodes and constants side by side along a dimension, which counts the batch as 0.

    Where parts overlap further down, a backward pass adds up coefficients: that is what its error is for.
    """

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], dim: int,
        parts: Sequence[Callable[[], Tensor] | None], sizes: Sequence[int],
    ) -> None:  # fmt: skip
        """`parts` are the constants [*shape of the part], None in the places of the inputs."""
        super().__init__(name, inputs, shape)
        self._dim, self._parts, self._sizes = dim, parts, sizes
        self._plain = all(part is None for part in parts)

    def value(self, *inputs: Tensor) -> Tensor:
        """All side by side."""
        return self._filled(inputs, 1.0)

    def spread(self, *radii: Tensor) -> Tensor:
        """Constants have no radius."""
        return self._filled(radii, 0.0)

    def interval(self, *inputs: Interval) -> Interval:
        """The ends side by side; nothing rounds."""
        return Interval(self.value(*(x.low for x in inputs)), self.value(*(x.high for x in inputs)))

    def ends(self, *inputs: Ends) -> Ends:
        """Likewise."""
        return Ends(self.value(*(x.tight().both.flatten(0, 1) for x in inputs)).unflatten(0, (2, -1)))

    def interval_and_error(self, *inputs: Interval) -> tuple[Interval, Tensor | None]:
        """The interval does not round; sums of coefficients may."""
        return self.interval(*inputs), super().interval_and_error(*inputs)[1]

    def bias(self) -> Tensor | None:
        """The constants, zeros beside them."""
        if self._plain:
            return None
        constant = next(part for part in self._parts if part is not None)()
        zeros = [
            constant.new_zeros(*self.shape[: self._dim - 1], size, *self.shape[self._dim :])
            for part, size in zip(self._parts, self._sizes, strict=True)
            if part is None
        ]
        return self._filled([zero.unsqueeze(0) for zero in zeros], 1.0).squeeze(0)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """To each node its own rows."""
        shares = rows.split(tuple(self._sizes), self._dim)
        return tuple(share for share, part in zip(shares, self._parts, strict=True) if part is None)

    def _filled(self, inputs: Sequence[Tensor], factor: float) -> Tensor:
        if self._plain:
            return torch.cat(tuple(inputs), self._dim)
        rest, batch = iter(inputs), inputs[0].shape[0]
        filled = [
            next(rest) if part is None else (part() * factor).expand(batch, *part().shape) for part in self._parts
        ]
        return torch.cat(filled, self._dim)


def is_move(node: Node) -> bool:
    """Whether the boxes of a node are just those of its inputs, in other places."""
    return isinstance(node, _Moved | Joined | Reshaped)
