"""Lines around ReLU, tanh and the sigmoid through compiled loops, with the widening of `outward` in the same pass.

They are the lines that the curves give, but for the last digits.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from sparring_plugins.propagation.curves import CHOICES, Curve, Lines, ReLU, Sigmoid, Tanh
from sparring_plugins.propagation.curves.curve import known_choice
from sparring_plugins.propagation.curves.rounding import rounding
from sparring_plugins.propagation.curves.tangents import table_of
from sparring_plugins.propagation.curves.tanh import SMALL
from sparring_plugins.propagation.kernels.calling import BITS, ONE, address, line_kernels
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.rounding import gamma, tiny

__all__ = ["compiled_lines", "has_compiled_lines"]


def has_compiled_lines(curve: Curve) -> bool:
    """Whether there is a loop for this curve."""
    return type(curve) in (ReLU, Tanh, Sigmoid)


def compiled_lines(curve: Curve, source: Interval, error: Tensor | None, nodes: int, choice: str) -> Lines:
    """Lines around a curve that has them compiled; arguments as of `outward_lines`."""
    known_choice(choice)
    if torch.is_grad_enabled():
        return Lines(*_Around.apply(*source, error, curve, nodes, choice))
    return Lines(*_lines(source, error, curve, nodes, choice).unbind())


class _Around(torch.autograd.Function):
    """Lines with their gradients in the ends of the interval; widening has none."""

    @staticmethod
    def forward(low: Tensor, high: Tensor, error: Tensor | None, curve: Curve, nodes: int, choice: str) -> Any:
        return _lines(Interval(low, high), error, curve, nodes, choice).unbind()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        low, high, _, ctx.curve, _, ctx.choice = inputs
        ctx.save_for_backward(low, high)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *given: Tensor) -> Any:
        low, high = ctx.saved_tensors
        if type(ctx.curve) is ReLU:
            return *_relu_back(low, high, given, ctx.choice), None, None, None, None
        with torch.enable_grad():
            ends = low.detach().requires_grad_(), high.detach().requires_grad_()
            lines = ctx.curve.lines(*ends, ctx.choice)
        parts = (lines.lower_slope, lines.lower_intercept, lines.upper_slope, lines.upper_intercept)
        return *torch.autograd.grad(parts, ends, given), None, None, None, None


def _lines(source: Interval, error: Tensor | None, curve: Curve, nodes: int, choice: str) -> Tensor:
    """[4, batch, *shape]: slope and intercept of the lower line, then of the upper one."""
    source, error = Interval(*(end.contiguous() for end in source)), None if error is None else error.contiguous()
    if isinstance(curve, ReLU):
        return _relu(source, error, nodes, choice)
    return _tanh(source, error, nodes, 1.0 if isinstance(curve, Tanh) else 0.5)


def _widening(low: Tensor, nodes: int) -> tuple[float, ...]:
    """Constants of `outward`, in the order in which the kernels take them."""
    dtype, count = low.dtype, low.shape[1:].numel() + nodes
    return tiny(0, dtype), gamma(0, dtype), tiny(count, dtype), gamma(count, dtype)


def _relu(source: Interval, error: Tensor | None, nodes: int, choice: str) -> Tensor:
    low, high = source
    lines = low.new_empty((4, *low.shape))
    info = torch.finfo(low.dtype)
    line_kernels().relu_lines(
        low.data_ptr(), high.data_ptr(), address(error), lines.data_ptr(), low.numel(), CHOICES.index(choice),
        1.0 + 2.0 * info.eps, info.tiny, *_widening(low, nodes), ONE[low.dtype],
    )  # fmt: skip
    return lines


def _relu_back(low: Tensor, high: Tensor, given: tuple[Tensor, ...], choice: str) -> tuple[Tensor, Tensor]:
    low, high, ends = low.contiguous(), high.contiguous(), low.new_empty((2, *low.shape))
    to_slope, to_shift = given[2] + given[0] if choice == "same" else given[2], given[3]
    to_slope, to_shift = to_slope.contiguous(), to_shift.contiguous()
    line_kernels().relu_lines_back(
        low.data_ptr(), high.data_ptr(), to_slope.data_ptr(), to_shift.data_ptr(), ends.data_ptr(), low.numel(),
        torch.finfo(low.dtype).tiny, ONE[low.dtype],
    )  # fmt: skip
    to_low, to_high = ends.unbind()
    return to_low, to_high


def _tanh(source: Interval, error: Tensor | None, nodes: int, scale: float) -> Tensor:
    """Of tanh (scale 1) or the logistic sigmoid (scale 1/2)."""
    low, high = source
    dtype, size, one = low.dtype, low.numel(), ONE[low.dtype]
    points, lines = low.new_empty((5, *low.shape)), low.new_empty((4, *low.shape))
    table, kernels, r = table_of(dtype), line_kernels(), rounding(dtype, low.device)
    kernels.tanh_points(
        low.data_ptr(), high.data_ptr(), table.intercepts.data_ptr(), table.slopes.data_ptr(), points.data_ptr(),
        size, len(table.slopes), scale, SMALL[dtype], table.mask, table.nearest, table.farthest, table.shift,
        one, BITS[dtype],
    )  # fmt: skip
    values = torch.tanh(points)
    kernels.tanh_lines(
        points.data_ptr(), values.data_ptr(), address(error), lines.data_ptr(), size, scale,
        r.eps, r.slack, torch.finfo(dtype).tiny, *_widening(low, nodes), one,
    )  # fmt: skip
    return lines
