"""Lines around ReLU, tanh and the sigmoid through compiled loops, with the widening of `outward` in the same pass.

They are the lines that the curves give, but for the last digits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from sparring_plugins.propagation.curves import CHOICES, Curve, Lines, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.curves.curve import known_choice
from sparring_plugins.propagation.curves.rounding import rounding
from sparring_plugins.propagation.curves.tangents import Table, table_of
from sparring_plugins.propagation.curves.tanh import SMALL
from sparring_plugins.propagation.kernels.calling import BITS, ONE, address, line_kernels
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.once import once
from sparring_plugins.propagation.rounding import gamma, tiny

__all__ = ["compiled_lines", "has_compiled_lines", "relu_back", "relu_lines", "tanh_back", "tanh_lines"]


def has_compiled_lines(curve: Curve) -> bool:
    """Whether there is a loop for this curve."""
    return type(curve) in (ReLU, Tanh, Sigmoid)


def compiled_lines(curve: Curve, source: Interval, error: Tensor | None, nodes: int, choice: str) -> Lines:
    """Lines around a curve that has them compiled; arguments as of `outward_lines`."""
    known_choice(choice)
    graded, error = torch.is_grad_enabled(), None if error is None else error.contiguous()
    if isinstance(curve, ReLU):
        if graded:
            return Lines(*_AroundReLU.apply(*source, error, nodes, choice))
        return Lines(*relu_lines(_dense(source.low), _dense(source.high), error, nodes, choice).unbind())
    scale = 1.0 if isinstance(curve, Tanh) else 0.5
    if graded:
        return Lines(*_AroundTanh.apply(*source, error, nodes, scale)[:4])
    return Lines(*tanh_lines(_dense(source.low), _dense(source.high), error, nodes, scale)[0].unbind())


class _AroundReLU(torch.autograd.Function):
    """Lines with their gradients in the ends of the interval; widening has none."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, error: Tensor | None, nodes: int, choice: str) -> Any:
        return relu_lines(_dense(low), _dense(high), error, nodes, choice).unbind()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        low, high, _, _, ctx.choice = inputs
        ctx.save_for_backward(low, high)

    @staticmethod
    @once
    def backward(ctx: Any, to_free: Tensor, _: Any, to_slope: Tensor, to_shift: Tensor) -> Any:
        low, high = map(_dense, ctx.saved_tensors)
        return *relu_back(low, high, to_free, to_slope, to_shift, ctx.choice).unbind(), None, None, None


def relu_back(low: Tensor, high: Tensor, to_free: Tensor, to_slope: Tensor, to_shift: Tensor, choice: str) -> Tensor:
    """Gradients in both ends, [2, *shape], from those in the lower slope, and the upper slope and intercept."""
    ends = low.new_empty((2, *low.shape))
    to_slope, to_shift = _dense(to_slope + to_free if choice == "same" else to_slope), _dense(to_shift)
    line_kernels().relu_lines_back(
        low.data_ptr(), high.data_ptr(), to_slope.data_ptr(), to_shift.data_ptr(), ends.data_ptr(), low.numel(),
        torch.finfo(low.dtype).tiny, ONE[low.dtype],
    )  # fmt: skip
    return ends


class _AroundTanh(torch.autograd.Function):
    """The same; where the curve is met, and its values there, are kept."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, error: Tensor | None, nodes: int, scale: float) -> Any:
        lines, points, values = tanh_lines(_dense(low), _dense(high), error, nodes, scale)
        return *lines.unbind(), points, values

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        ctx.scale = inputs[4]
        ctx.save_for_backward(*output[4:], *inputs[:2])  # of which the former are made, see `once`
        ctx.mark_non_differentiable(*output[4:])

    @staticmethod
    @once
    def backward(ctx: Any, *given: Tensor) -> Any:
        points, values, *_ = ctx.saved_tensors
        return *tanh_back(points, values, torch.stack(given[:4]), ctx.scale).unbind(), None, None, None


def tanh_back(points: Tensor, values: Tensor, to_lines: Tensor, scale: float) -> Tensor:
    """Gradients in both ends, [2, *shape], from those in lines [4, *shape]."""
    ends = points.new_empty((2, *points.shape[1:]))
    table, details = _table(points.dtype)
    line_kernels().tanh_lines_back(
        points.data_ptr(), values.data_ptr(), to_lines.data_ptr(), ends.data_ptr(),
        table.intercepts.data_ptr(), table.slopes.data_ptr(), ends[0].numel(), len(table.slopes), scale, *details,
    )  # fmt: skip
    return ends


def _dense(values: Tensor) -> Tensor:
    return values.contiguous()


def _table(dtype: torch.dtype) -> tuple[Table, tuple[Any, ...]]:
    """The table of tangent points, and how the kernels look it up."""
    table = table_of(dtype)
    look = (SMALL[dtype], table.mask, table.nearest, table.farthest, table.shift, ONE[dtype], BITS[dtype])
    return table, look


def _widening(low: Tensor, nodes: int) -> tuple[float, ...]:
    """Constants of `outward`, in the order in which the kernels take them."""
    dtype, count = low.dtype, low.shape[1:].numel() + nodes
    return tiny(0, dtype), gamma(0, dtype), tiny(count, dtype), gamma(count, dtype)


def relu_lines(low: Tensor, high: Tensor, error: Tensor | None, nodes: int, choice: str) -> Tensor:
    """[4, batch, *shape]: slope and intercept of the lower line, then of the upper one."""
    lines, info = low.new_empty((4, *low.shape)), torch.finfo(low.dtype)
    line_kernels().relu_lines(
        low.data_ptr(), high.data_ptr(), address(error), lines.data_ptr(), low.numel(), CHOICES.index(choice),
        1.0 + 2.0 * info.eps, info.tiny, *_widening(low, nodes), ONE[low.dtype],
    )  # fmt: skip
    return lines


def tanh_lines(
    low: Tensor, high: Tensor, error: Tensor | None, nodes: int, scale: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Of tanh (scale 1) or the logistic sigmoid (scale 1/2); and points with the values of tanh there."""
    dtype, size = low.dtype, low.numel()
    points, lines = low.new_empty((5, *low.shape)), low.new_empty((4, *low.shape))
    kernels, r, (table, look) = line_kernels(), rounding(dtype, low.device), _table(dtype)
    kernels.tanh_points(
        low.data_ptr(), high.data_ptr(), table.intercepts.data_ptr(), table.slopes.data_ptr(), points.data_ptr(),
        size, len(table.slopes), scale, *look,
    )  # fmt: skip
    values = torch.tanh(points)
    kernels.tanh_lines(
        points.data_ptr(), values.data_ptr(), address(error), lines.data_ptr(), size, scale,
        r.eps, r.slack, torch.finfo(dtype).tiny, *_widening(low, nodes), ONE[dtype],
    )  # fmt: skip
    return lines, points, values
