"""Losses for certified training: upper bounds of the cross-entropy anywhere in a region (thesis, section 5.2.5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sparring.bounds import BoundBackend, Region
from sparring.errors import RequestError

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["cross_entropy_bound", "fused_cross_entropy_bound", "margin_spec"]


def margin_spec(labels: Tensor, outputs: int, like: Tensor) -> Tensor:
    """Rows `f_i - f_label` for every output `i`, [batch, outputs, outputs]; the label's own row is 0.

    Args:
        labels: whole numbers, [batch].
        outputs: how many outputs the network has.
        like: gives dtype and device.

    Raises:
        RequestError: a label is no output.
    """
    import torch

    if labels.dim() != 1 or labels.is_floating_point() or bool(((labels < 0) | (labels >= outputs)).any()):
        raise RequestError(f"training: labels must be whole numbers from 0 to {outputs - 1}, one a sample")
    unit = torch.eye(outputs, dtype=like.dtype, device=like.device)
    return unit.unsqueeze(0) - unit[labels].unsqueeze(1)


def cross_entropy_bound(module: nn.Module, region: Region, labels: Tensor, method: str | BoundBackend) -> Tensor:
    """Upper bound of the cross-entropy by bounds of all margins, [batch]: the log of the sum of their exponentials.

    Args:
        module: a classifier, [batch, *features] to [batch, outputs].
        region: where each sample may lie.
        labels: the right class of each sample, [batch].
        method: any bound backend.

    Raises:
        RequestError: a label is no output of the module.
        RefusedError: the method has no rule for an operation, or the bound is unknown.
    """
    from sparring.bounding import bound

    spec = margin_spec(labels, _outputs(module, region), region.center)
    return _rounded(bound(module, region, method, spec)[1].logsumexp(1))


def fused_cross_entropy_bound(
    module: nn.Module, region: Region, labels: Tensor, method: str | BoundBackend = "crown-ibp", beta: float = 1.0
) -> Tensor:
    """Upper bound of the cross-entropy as one output, [batch], whatever the number of classes.

    The cross-entropy is the log of `s = sum_i exp(z_i)` over the margins `z_i = f_i - f_label`. Intervals of the
    margins give a chord above each exponential, so that `s` is bounded by one linear function of the outputs; a
    single row goes backward where bounds by margins take one for each class. Differentiable in weights and inputs.

    Args:
        module: a classifier, [batch, *features] to [batch, outputs].
        region: where each sample may lie.
        labels: the right class of each sample, [batch].
        method: the bound backend for the one row.
        beta: weight of this bound; the rest is that of the bound by interval margins (equation 5.12).

    Raises:
        RequestError: a label is no output of the module, or beta is not in [0, 1].
        RefusedError: the method has no rule for an operation, or the bound is unknown.
    """
    from sparring_plugins.propagation.kept_graphs import graph_of
    from sparring_plugins.propagation.propagation import Propagation

    if not 0 <= beta <= 1:
        raise RequestError(f"training: beta {beta}, expected a number from 0 to 1")
    spec = margin_spec(labels, _outputs(module, region), region.center)
    if beta == 0:
        return cross_entropy_bound(module, region, labels, "ibp")
    intervals = Propagation(graph_of(module, region.center), region, "ibp")
    low, high = intervals.box(spec)
    fused = _log_of_chords(module, region, method, spec, low, high, intervals.box(None))
    by_margins = high.logsumexp(1)
    return _rounded(fused if beta == 1 else beta * fused + (1 - beta) * by_margins)


def _log_of_chords(
    module: nn.Module, region: Region, method: str | BoundBackend, spec: Tensor, low: Tensor, high: Tensor,
    outputs: tuple[Tensor, Tensor],
) -> Tensor:  # fmt: skip
    """`log(sum_i slope_i z_i + intercept_i)`, with all exponentials divided by the largest.

    `low` and `high` bound the margins, `outputs` the outputs themselves.
    """
    import torch

    from sparring.bounding import bound

    top = high.amax(1, keepdim=True)
    first, last = (low - top).exp(), (high - top).exp()
    width = high - low
    # Any slope will do where the interval is too short for the quotient.
    short = width < torch.finfo(width.dtype).eps ** 0.5
    slope = torch.where(short, last, (last - first) / width.masked_fill(short, 1.0))
    intercept = torch.maximum(last - slope * high, first - slope * low)
    row = (slope.unsqueeze(1) @ spec).contiguous()
    total = bound(module, region, method, row)[1].squeeze(1) + intercept.sum(1)
    with torch.no_grad():
        # The row was rounded, by less than `count` units in the last place of the sum of its slopes, and so were
        # chords and their sum.
        share = 4 * (spec.shape[1] + 4) * torch.finfo(total.dtype).eps
        size = torch.maximum(outputs[1].abs(), outputs[0].abs()).amax(1) + torch.maximum(low.abs(), high.abs()).amax(1)
        slack = share * (slope.sum(1) * size + (intercept.abs() + last).sum(1))
    return top.squeeze(1) + (total + slack).log()


def _rounded(loss: Tensor) -> Tensor:
    """Moved up by what logarithms and sums here and in the victim's own loss may lose."""
    import torch

    return loss + (loss.detach().abs() + 1) * (32 * torch.finfo(loss.dtype).eps)


def _outputs(module: nn.Module, region: Region) -> int:
    """How many outputs the module has."""
    from sparring_plugins.propagation.kept_graphs import graph_of

    graph = graph_of(module, region.center)
    shape = graph.nodes[graph.output].shape
    if len(shape) != 1:
        raise RequestError(f"training: the module gives {list(shape)} for each sample, expected one number a class")
    return shape[0]
