"""Lines and planes moved outward, so that bounds hold for what is computed in floats (see `rounding`)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from sparring_plugins.propagation.compiled_lines import compiled_lines, has_compiled_lines
from sparring_plugins.propagation.curves import Curve, Lines
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.nodes import Interval, Planes, magnitude
from sparring_plugins.propagation.rounding import gamma, tiny_of

__all__ = ["outward", "outward_lines", "outward_planes"]


def outward_lines(curve: Curve, source: Interval, error: Tensor | None, nodes: int, choice: str) -> Lines:
    """Lines around a curve for CROWN that also cover rounding; arguments as of `outward`."""
    if has_compiled_lines(curve) and serves(source.low, source.low.numel()):
        return compiled_lines(curve, source, error, nodes, choice)
    return outward(curve.lines(*source, choice), source, error, curve.error(*source), nodes)


def outward(lines: Lines, source: Interval, error: Tensor | None, inexact: Tensor | float, nodes: int) -> Lines:
    """Lines that also cover rounding at the curve and in the affine node below it.

    Args:
        lines: around the curve, in exact arithmetic.
        source: box of the curve's input.
        error: of the affine node below, where it is not accounted for elsewhere; a row's coefficient there is its
            coefficient here times a slope.
        inexact: how far the victim's curve may be from the true one.
        nodes: how many nodes' shares of a bound are added up.

    Returns:
        Lines with intercepts moved apart. For each unit of a row, a moved row rounds by a few units of
        `|slope| |x|`, and the sum over its intercepts by `gamma |intercept|`.
    """
    with torch.no_grad():
        slack = _slack(source, error)
        lower = _reach(lines.lower_slope, lines.lower_intercept, slack, inexact, nodes)
        upper = _reach(lines.upper_slope, lines.upper_intercept, slack, inexact, nodes)
    return Lines(lines.lower_slope, lines.lower_intercept - lower, lines.upper_slope, lines.upper_intercept + upper)


def outward_planes(planes: Planes, sources: Sequence[Interval], inexact: Tensor | float, nodes: int) -> Planes:
    """The same for a function of several nodes."""
    with torch.no_grad():
        slacks = [_slack(source, None) for source in sources]
        ends = []
        for slopes, intercept in ((planes.lower, planes.lower_intercept), (planes.upper, planes.upper_intercept)):
            reach = _reach(slopes[0], intercept, slacks[0], inexact, nodes)
            for slope, slack in zip(slopes[1:], slacks[1:], strict=True):
                reach = torch.addcmul(reach, slope.abs(), slack)
            ends.append(reach)
    return Planes(planes.lower, planes.lower_intercept - ends[0], planes.upper, planes.upper_intercept + ends[1])


def _slack(source: Interval, error: Tensor | None) -> Tensor:
    """Rounding at the input of a curve for each unit of slope."""
    size = magnitude(source)
    few = gamma(0, size.dtype)
    return torch.add(tiny_of(0, size) if error is None else error, size, alpha=few)


def _reach(slope: Tensor, intercept: Tensor, slack: Tensor, inexact: Tensor | float, nodes: int) -> Tensor:
    """How far an intercept moves."""
    count = intercept.shape[1:].numel() + nodes
    reach = torch.add(tiny_of(count, intercept), intercept.abs(), alpha=gamma(count, intercept.dtype))
    reach = torch.addcmul(reach, slope.abs(), slack)
    return reach if isinstance(inexact, float) and inexact == 0.0 else reach + inexact
