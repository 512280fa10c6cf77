"""Interval bounds of a run of layers as one operation of autograd: its bookkeeping takes longer than small bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.boxes import Boxes, around_center
from sparring_plugins.propagation.curves import ReLU, Tanh
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import alone
from sparring_plugins.propagation.linear_ends import LinearEnds
from sparring_plugins.propagation.middles import reaches
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.passing import LOOSE, Passage
from sparring_plugins.propagation.rounding import share_of
from sparring_plugins.propagation.runs import Run, Step, run_of
from sparring_plugins.propagation.specified import over_box

__all__ = ["interval_bounds", "piece_of", "start_of"]

FEW = 1 << 17
"""Multiplications with the largest weight up to which bounds come by the quickest way; gradients find theirs later."""
CACHED = 1 << 15
"""Numbers that a piece of the batch may have at its widest layer, so that they stay in a processor's cache."""
LARGEST = 1 << 22
"""Weights, by the largest layer, of networks that are small enough to have copies in the work space."""
TILE = 12
"""Samples that products take at once."""


def interval_bounds(graph: Graph, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
    """What `Boxes.bounds` gives for a region of norm "inf", by whichever way is quickest."""
    node = graph.nodes[graph.output]
    run = run_of(graph, shortened=spec is not None and isinstance(node, Linear))
    if run is not None and _suits(run, region.center):
        found = _box(graph, run, region)
        if found is not None:
            return found if spec is None else over_box(node, Interval(*found), spec)
    return Boxes(graph, region, keep=False).bounds(spec)


def _suits(run: Run, center: Tensor) -> bool:
    flat, small = center.is_cpu and center.dim() == 2 and center.numel() > 0, run.largest * len(run.steps) <= LARGEST
    return flat and small and alone(2 * _work(run, center))


def _box(graph: Graph, run: Run, region: Region) -> tuple[Tensor, Tensor] | None:
    """The box of a run's last node; None where nothing is gained."""
    if torch.is_grad_enabled():
        parts = [part for part in (region.center, region.radius, region.low, region.high) if isinstance(part, Tensor)]
        both = torch.stack(region.corners) if any(part.requires_grad for part in parts) else None
        low, high = _Box.apply(graph, run, region, parts, both, *run.parameters())
        return low, high
    if _few(run, region):
        return None
    return _tight(run, _passage(run, run.parameters(), region, None).there(keep=False))


def _work(run: Run, center: Tensor) -> int:
    """Multiplications with its largest weight."""
    return run.largest * center.shape[0]


def _few(run: Run, region: Region) -> bool:
    return _work(run, region.center) <= FEW


def start_of(run: Run, region: Region, both: Tensor | None) -> tuple[Tensor, Tensor]:
    """Centre and reach of the region (see `ends`), from its corners where these have gradients."""
    share = share_of(run.steps[0].layer.fan, region.center.dtype, 0.0)
    around = around_center(region, share) if both is None else None
    if around is not None:
        return around[0].contiguous(), around[1].contiguous()
    center, reach = reaches(torch.stack(region.corners) if both is None else both, share, 0.0)
    return center.contiguous(), reach.contiguous()


def piece_of(run: Run) -> int:
    """Samples at a time; a multiple of what products take at once, where there are many."""
    size = max(1, CACHED // run.widest)
    return size - size % TILE if size > TILE else size


def _tight(run: Run, found: Tensor) -> tuple[Tensor, Tensor]:
    """A box from what `passed` found."""
    last = run.steps[-1].curve
    exact = last is None or isinstance(last, ReLU)
    low, high = Ends(found, 0.0 if exact else LOOSE * torch.finfo(found.dtype).eps).tight().both.unbind()
    return low, high


class _Box(torch.autograd.Function):
    """`_box` with gradients in corners, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, run: Run, region: Region, parts: list[Tensor], both: Tensor | None,
        *parameters: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.run, ctx.region, ctx.passage, found = run, region, None, None
        if _few(run, region):
            low, high = Boxes(graph, region, keep=False).interval(run.place)
        else:
            ctx.passage = _passage(run, parameters, region, both)
            found = ctx.passage.there(keep=True)
            low, high = _tight(run, found)
        # The region's own tensors are kept to see that they are the same still.
        ctx.save_for_backward(both, None if run.steps[-1].curve is None else found, *parameters, *parts)
        return low, high

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        run, region, (both, found, *saved) = ctx.run, ctx.region, ctx.saved_tensors
        parameters = saved[: 2 * len(run.steps)]
        run.check(parameters, region.center, given[0])
        if torch.is_grad_enabled():
            return None, None, None, None, *_differentiably(run, region, both, parameters, given)
        passage, ctx.passage = ctx.passage, None  # as torch lets go of what it kept; who comes again waits for it
        if passage is None:
            passage = _passage(run, parameters, region, both)
            found = passage.there(keep=True)
        if run.steps[-1].curve is not None:
            slopes = _slopes(run.steps[-1], found)
            given = given[0] * slopes[0], given[1] * slopes[1]
        wanted = ctx.needs_input_grad[5:]
        return None, None, None, None, *passage.back(given, wanted, both is not None)


def _passage(run: Run, parameters: Sequence[Tensor | None], region: Region, both: Tensor | None) -> Passage:
    return Passage(run, parameters, *start_of(run, region, both), piece_of(run))


def _slopes(step: Step, values: Tensor) -> Tensor:
    """Derivatives of a curve at both ends, from its values there."""
    if isinstance(step.curve, ReLU):
        return (values > 0).to(values.dtype)
    return 1 - values * values if isinstance(step.curve, Tanh) else values * (1 - values)


def _differentiably(
    run: Run, region: Region, both: Tensor | None, parameters: Sequence[Any], given: Sequence[Tensor]
) -> list[Tensor | None]:
    """Gradients in the corners, weights and biases that have gradients themselves, each step through torch."""
    # Aliases: what reaches a weight by way of another one, or of the region, is not for this operation to count.
    aliases = [None if part is None else part.view_as(part) for part in (both, *parameters)]
    known = aliases[0]
    ends = Ends(known) if known is not None else None
    for step, weight, bias in zip(run.steps, aliases[1::2], aliases[2::2], strict=True):
        assert weight is not None
        share = share_of(weight.shape[1] + 1, weight.dtype, 0.0 if ends is None else ends.loose)
        if ends is None:
            around = start_of(run, region, None)
            ends = Ends(LinearEnds.apply(*around, weight, bias, share, 0.0))
        else:
            ends = Ends(LinearEnds.apply(ends.both, None, weight, bias, share, ends.off))
        ends = ends if step.curve is None else step.curve.at_ends(ends.both)
        assert ends is not None
    assert ends is not None
    inputs = [part for part in aliases if part is not None and part.requires_grad]
    found = iter(torch.autograd.grad(ends.tight().both.unbind(), inputs, given, create_graph=True, allow_unused=True))
    return [next(found) if part is not None and part.requires_grad else None for part in aliases]
