"""Interval bounds of a run of layers as one operation of autograd: its bookkeeping takes longer than small bounds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.affine import Linear
from sparring_plugins.propagation.boxes import Boxes, around_center
from sparring_plugins.propagation.ends import Ends
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import serves
from sparring_plugins.propagation.linear_ends import LinearEnds
from sparring_plugins.propagation.middles import reaches
from sparring_plugins.propagation.nodes import Interval
from sparring_plugins.propagation.passing import Gradients, Passed, factors_of, passed
from sparring_plugins.propagation.rounding import share_of
from sparring_plugins.propagation.runs import Run, run_of
from sparring_plugins.propagation.specified import over_box

__all__ = ["interval_bounds"]

FEW = 1 << 17
"""Multiplications with the largest weight up to which bounds come by the quickest way; gradients find theirs later."""
CACHED = 1 << 17
"""Numbers that a piece of the batch may have at its widest layer, so that they stay in a processor's cache."""


def interval_bounds(graph: Graph, region: Region, spec: Tensor | None) -> tuple[Tensor, Tensor]:
    """What `Boxes.bounds` gives for a region of norm "inf", by whichever way is quickest."""
    node = graph.nodes[graph.output]
    run = run_of(graph, shortened=spec is not None and isinstance(node, Linear))
    if run is not None and region.center.dim() == 2 and serves(region.center, region.center.shape[0] * run.widest):
        found = _box(graph, run, region)
        if found is not None:
            return found if spec is None else over_box(node, Interval(*found), spec)
    return Boxes(graph, region, keep=False).bounds(spec)


def _box(graph: Graph, run: Run, region: Region) -> tuple[Tensor, Tensor] | None:
    """The box of a run's last node; None where nothing is gained."""
    if torch.is_grad_enabled():
        parts = [part for part in (region.center, region.radius, region.low, region.high) if isinstance(part, Tensor)]
        both = torch.stack(region.corners) if any(part.requires_grad for part in parts) else None
        low, high = _Box.apply(graph, run, region, parts, both, *run.parameters())
        return low, high
    return None if _few(run, region) else _passed(run, region, None, run.parameters(), keep=False)[1]


def _few(run: Run, region: Region) -> bool:
    return run.largest * region.center.shape[0] <= FEW


def _passed(
    run: Run, region: Region, both: Tensor | None, parameters: Sequence[Any], keep: bool
) -> tuple[list[Passed], tuple[Tensor, Tensor]]:
    """What `passed` gives, a piece of the batch after another; what the way back needs only where that is to `keep`."""
    factors, kept, boxes = factors_of(run, parameters), list[Passed](), list[tuple[Tensor, Tensor]]()
    for center, reach in _pieces(run, *_start(region, both, factors[0].share)):
        steps, box = passed(factors, center, reach)
        boxes.append(box)
        if keep:
            kept += steps
    if len(boxes) == 1:
        return kept, boxes[0]
    low, high = zip(*boxes, strict=True)
    return kept, (torch.cat(low), torch.cat(high))


def _start(region: Region, both: Tensor | None, share: float) -> tuple[Tensor, Tensor]:
    """Centre and reach of the region, from its corners where these have gradients."""
    around = around_center(region, share) if both is None else None
    if around is not None:
        return around[0].contiguous(), around[1]
    return reaches(torch.stack(region.corners) if both is None else both, share, 0.0)


def _pieces(run: Run, *tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """Pieces of a batch, one of each tensor."""
    size = max(1, CACHED // run.widest)
    return zip(*(part.split(size) for part in tensors), strict=True)


class _Box(torch.autograd.Function):
    """`_box` with gradients in corners, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, run: Run, region: Region, parts: list[Tensor], both: Tensor | None,
        *parameters: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.run, ctx.region, ctx.parts, kept = run, region, len(parts), list[Passed]()
        if _few(run, region):
            low, high = Boxes(graph, region, keep=False).interval(run.place)
        else:
            kept, (low, high) = _passed(run, region, both, parameters, keep=True)
        # The region's own tensors are kept to see that they are the same still.
        ctx.save_for_backward(both, *parameters, *parts, *chain.from_iterable(kept))
        return low, high

    @staticmethod
    def backward(ctx: Any, *given: Tensor) -> Any:
        run, region, (both, *saved) = ctx.run, ctx.region, ctx.saved_tensors
        count = 2 * len(run.steps)
        parameters, kept = saved[:count], saved[count + ctx.parts :]
        if torch.is_grad_enabled():
            return None, None, None, None, *_differentiably(run, region, both, parameters, given)
        steps = [Passed(*kept[place : place + 3]) for place in range(0, len(kept), 3)]
        if not steps:
            steps, _ = _passed(run, region, both, parameters, keep=True)
        gradients = Gradients(factors_of(run, parameters), ctx.needs_input_grad[5:], both is not None)
        for place, piece in enumerate(_pieces(run, *given)):
            gradients.add(steps[place * len(run.steps) : (place + 1) * len(run.steps)], *piece)
        return None, None, None, None, *gradients.found()


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
            around = _start(region, None, share)
            ends = Ends(LinearEnds.apply(*around, weight, bias, share, 0.0))
        else:
            ends = Ends(LinearEnds.apply(ends.both, None, weight, bias, share, ends.off))
        ends = ends if step.curve is None else step.curve.at_ends(ends.both)
        assert ends is not None
    assert ends is not None
    inputs = [part for part in aliases if part is not None and part.requires_grad]
    found = iter(torch.autograd.grad(ends.tight().both.unbind(), inputs, given, create_graph=True, allow_unused=True))
    return [next(found) if part is not None and part.requires_grad else None for part in aliases]
