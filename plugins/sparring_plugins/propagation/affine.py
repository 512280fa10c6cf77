"""Affine operations with a matrix of their own: linear layers, convolutions, scaling, and sums of nodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from sparring_plugins.propagation.compiled_linear import is_small, through_small
from sparring_plugins.propagation.dense import linear
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.interleaved import together
from sparring_plugins.propagation.linear_ends import LinearEnds, linear_ends
from sparring_plugins.propagation.nodes import Affine, Interval
from sparring_plugins.propagation.rounding import share_of

__all__ = ["Conv", "Linear", "Reshaped", "Scale", "Sum"]

Live = Callable[[], Tensor]
"""Fetches a parameter when it is needed, so that a trained network is bounded with today's weights."""


class Linear(Affine):
    """`x W^T + b` over the last dimension."""

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], weight: Live, bias: Live | None
    ) -> None:
        super().__init__(name, inputs, shape)
        self.weight, self._bias = weight, bias
        self.terms = max(weight().shape)

    def bias(self) -> Tensor | None:
        """The bias of each output, [outputs]."""
        return None if self._bias is None else self._bias()

    @property
    def fan(self) -> int:
        """Inputs, and the bias."""
        return self.weight().shape[1] + 1

    @property
    def back(self) -> int:
        """Outputs."""
        return self.weight().shape[0]

    def value(self, *inputs: Tensor) -> Tensor:
        """The layer itself."""
        return linear(inputs[0], self.weight(), self.bias())

    def spread(self, *radii: Tensor) -> Tensor:
        """Radii through `|W|`."""
        return linear(radii[0], self.weight().abs())

    def ends(self, *inputs: Ends) -> Ends:
        """In one pass where the layer is small; with derivatives by hand."""
        (both, loose, off), weight = inputs[0], self.weight()
        share = share_of(weight.shape[1] + 1, both.dtype, loose)
        return Ends(self._ends(both, None, weight, share, off))

    def ends_around(self, centers: Sequence[Tensor], reaches: Sequence[Tensor], share: float) -> Tensor:
        """Likewise; nothing of centres and reaches is differentiated."""
        return self._ends(centers[0], reaches[0], self.weight(), share, 0.0)

    def _ends(self, first: Tensor, second: Tensor | None, weight: Tensor, share: float, off: float) -> Tensor:
        run = LinearEnds.apply if torch.is_grad_enabled() else linear_ends
        found: Tensor = run(first, second, weight, self.bias(), share, off)
        return found

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """`rows W`."""
        return (linear(rows, self.weight().T),)

    def interval_and_error(self, *inputs: Interval) -> tuple[Interval, Tensor | None]:
        """As of any affine node, for small layers in one pass."""
        weight = self.weight()
        if is_small(inputs[0].low, weight):
            return through_small(inputs[0], weight, self.bias(), self.parts)
        return super().interval_and_error(*inputs)


class Conv(Affine):
    """A convolution in one or two dimensions, strides, padding with zeros, dilation and groups included."""

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], weight: Live, bias: Live | None,
        stride: tuple[int, ...], padding: tuple[int, ...], dilation: tuple[int, ...], groups: int,
        entry: tuple[int, ...],
    ) -> None:  # fmt: skip
        super().__init__(name, inputs, shape)
        self.weight, self._bias, self.entry = weight, bias, entry
        self._how: dict[str, Any] = {"stride": stride, "padding": padding, "dilation": dilation, "groups": groups}
        self.stride, self.padding = stride, padding
        self.plain = len(stride) == 2 and groups == 1 and max(dilation) == 1
        """Whether units have windows: two dimensions, no groups, no dilation."""
        self._shuffled = self.plain and stride[0] == stride[1] > 1
        self._there: Callable[..., Tensor] = F.conv1d if len(stride) == 1 else F.conv2d
        self._back: Callable[..., Tensor] = F.conv_transpose1d if len(stride) == 1 else F.conv_transpose2d
        size = weight().shape
        reached = math.prod(math.ceil(width / step) for width, step in zip(size[2:], stride, strict=True))
        self._fan, self._back_terms = math.prod(size[1:]) + 1, size[0] // groups * reached
        self.terms = max(self._fan, self._back_terms)

    @property
    def fan(self) -> int:
        """Entries of the kernel for one output, and the bias."""
        return self._fan

    @property
    def back(self) -> int:
        """Outputs that one input has a share in."""
        return self._back_terms

    def bias(self) -> Tensor | None:
        """The bias of each channel, [channels, 1 ...]."""
        return None if self._bias is None else self._bias().reshape(-1, *[1] * (len(self.shape) - 1))

    def value(self, *inputs: Tensor) -> Tensor:
        """The convolution itself."""
        bias = None if self._bias is None else self._bias()
        return self._there(inputs[0], self.weight(), bias, **self._how)

    def spread(self, *radii: Tensor) -> Tensor:
        """Radii through the absolute kernel."""
        return self._there(radii[0], self.weight().abs(), None, **self._how)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The transposed convolution."""
        if self._shuffled:
            # What padding added goes; what a stride passed over at the far end has no share.
            return (together(self._parted(rows), self.stride[0], self.padding, self.entry[1:]),)
        return (self._back(rows, self.weight(), None, output_padding=self._short, **self._how),)

    @cached_property
    def _short(self) -> tuple[int, ...]:
        """How many positions a stride passed over at the far end, which a transposed convolution leaves open."""
        sides = zip(
            self.entry[1:], self.shape[1:], self.weight().shape[2:], self.stride, self.padding, self._how["dilation"],
            strict=True,
        )  # fmt: skip
        return tuple(
            min(wide - ((out - 1) * step - 2 * pad + reach * (width - 1) + 1), step - 1)
            for wide, out, width, step, pad, reach in sides
        )

    def flat_bias(self) -> Tensor | None:
        """The bias of each channel, [channels]."""
        return None if self._bias is None else self._bias()

    def window(self, sides: tuple[int, ...]) -> tuple[int, ...]:
        """Sides of the window of the input that a window of the output looks at."""
        kernel = self.weight().shape[2:]
        return tuple((side - 1) * step + width for side, step, width in zip(sides, self.stride, kernel, strict=True))

    def adjoint_of_window(self, rows: Tensor) -> Tensor:
        """`rows W` for rows [count, channels, *window]; what padding adds around the input is part of the window."""
        if not self._shuffled:
            return F.conv_transpose2d(rows, self.weight(), None, self.stride)
        sides = zip(rows.shape[2:], self.weight().shape[2:], strict=True)
        high, wide = ((side - 1) * self.stride[0] + width for side, width in sides)
        return together(self._parted(rows), self.stride[0], (0, 0), (high, wide))

    def _parted(self, rows: Tensor) -> Tensor:
        """The same by places between two strides, [count, inputs * stride * stride, high, wide]."""
        return F.conv2d(rows, *_split_kernel(self.weight(), self.stride[0]))


def _split_kernel(kernel: Tensor, step: int) -> tuple[Tensor, None, int, tuple[int, int]]:
    """Arguments of a convolution whose shuffled channels are the transposed convolution with that kernel and stride.

    Each of the `step * step` places between two strides sees its own share of the kernel: an ordinary convolution
    with that many times the channels, up to twenty times as fast here as the transposed one.
    """
    channels, entries, high, wide = kernel.shape
    tall, broad = -(-high // step), -(-wide // step)
    whole = F.pad(kernel, (0, broad * step - wide, 0, tall * step - high))
    split = whole.view(channels, entries, tall, step, broad, step).flip((2, 4)).permute(1, 3, 5, 0, 2, 4)
    return split.reshape(entries * step * step, channels, tall, broad), None, 1, (tall - 1, broad - 1)


class Scale(Affine):
    """`x * factor + shift` with constants that broadcast against `x`."""

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], entry: tuple[int, ...],
        factor: Live | None, shift: Live | None, bulk: Live | None = None,
    ) -> None:  # fmt: skip
        """`bulk` bounds what the victim adds on the way and takes away again, where that exceeds the shift."""
        super().__init__(name, inputs, shape)
        self._factor, self._shift, self._bulk, self._entry = factor, shift, bulk, entry
        self.terms = max(1, math.prod(shape) // max(1, math.prod(entry)))

    @property
    def rises(self) -> bool:
        """Whether no factor is negative today."""
        return self._factor is None or bool((self._factor() >= 0).all())

    def bias(self) -> Tensor | None:
        """The constant that is added."""
        return None if self._shift is None else self._shift()

    def value(self, *inputs: Tensor) -> Tensor:
        """Multiply, then add."""
        scaled = inputs[0] if self._factor is None else inputs[0] * self._factor()
        return scaled if self._shift is None else scaled + self._shift()

    def spread(self, *radii: Tensor) -> Tensor:
        """Radii times the absolute factor."""
        scaled = radii[0] if self._factor is None else radii[0] * self._factor().abs()
        return scaled.expand(-1, *self.shape)

    def bulk(self) -> Tensor | None:
        """The shift, or what of it cancels."""
        return super().bulk() if self._bulk is None else self._bulk()

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """Rows times the factor, summed over what the constants broadcast."""
        scaled = rows if self._factor is None else rows * self._factor()
        return (shrunk(scaled, self._entry),)


class Sum(Affine):
    """`sign_0 x_0 + sign_1 x_1`, of shapes that broadcast."""

    def __init__(
        self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], entries: Sequence[tuple[int, ...]],
        signs: Sequence[int],
    ) -> None:  # fmt: skip
        super().__init__(name, inputs, shape)
        self._entries, self.signs = entries, signs
        self.terms = max(2, *(math.prod(shape) // max(1, math.prod(entry)) for entry in entries))

    def value(self, *inputs: Tensor) -> Tensor:
        """The sum or difference."""
        first = inputs[0] if self.signs[0] > 0 else -inputs[0]
        return torch.add(first, inputs[1], alpha=self.signs[1])

    def spread(self, *radii: Tensor) -> Tensor:
        """The sum of the radii."""
        return radii[0] + radii[1]

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The rows themselves, with the sign, summed over what was broadcast."""
        parts = (shrunk(rows, entry) for entry in self._entries)
        return tuple(part if sign > 0 else -part for part, sign in zip(parts, self.signs, strict=True))


class Reshaped(Affine):
    """The same values in another shape."""

    terms = 0

    def __init__(self, name: str, inputs: tuple[int, ...], shape: tuple[int, ...], entry: tuple[int, ...]) -> None:
        super().__init__(name, inputs, shape)
        self._entry = entry

    def value(self, *inputs: Tensor) -> Tensor:
        """The new shape."""
        return inputs[0].reshape(-1, *self.shape)

    def spread(self, *radii: Tensor) -> Tensor:
        """The new shape."""
        return radii[0].reshape(-1, *self.shape)

    def adjoint(self, rows: Tensor) -> Sequence[Tensor | None]:
        """The old shape."""
        return (rows.reshape(-1, *self._entry),)


def shrunk(rows: Tensor, entry: tuple[int, ...]) -> Tensor:
    """Sum [count, *shape] over the dimensions along which [*entry] was broadcast."""
    extra = rows.dim() - 1 - len(entry)
    if extra:
        rows = rows.flatten(1, extra).sum(1) if extra > 1 else rows.sum(1)
    spots = [place + 1 for place, width in enumerate(entry) if width == 1 and rows.shape[place + 1] != 1]
    return rows.sum(spots, keepdim=True) if spots else rows
