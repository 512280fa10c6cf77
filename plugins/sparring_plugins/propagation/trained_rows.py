"""CROWN-IBP bounds of a run of layers as one operation of autograd: compiled calls there and back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sparring.bounds import Region
from sparring_plugins.propagation.curves import CHOICES
from sparring_plugins.propagation.dense import crossed, linear
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.kernels.calling import BITS, ONE, address, alone, plainly, register, run_kernels
from sparring_plugins.propagation.middles import to_ends
from sparring_plugins.propagation.packing import Program, program_of
from sparring_plugins.propagation.passing import Passage, kept_of
from sparring_plugins.propagation.patience import patiently
from sparring_plugins.propagation.programs import Keeping, addresses_of, bounds, ends_of, ran, tangents_of
from sparring_plugins.propagation.propagation import Propagation
from sparring_plugins.propagation.row_plans import plan_of
from sparring_plugins.propagation.runs import Run, run_of
from sparring_plugins.propagation.scratch import Loan, scratch
from sparring_plugins.propagation.trained_boxes import piece_of, start_of

__all__ = ["backward_bounds"]

FEW = 4
"""Samples up to which bounds come by the quickest way, and gradients find what they need when they are asked for."""
MOST = 256
"""Rows of a sample that go together: with more, a block of samples is far larger than any cache."""


def backward_bounds(graph: Graph, region: Region, spec: Tensor | None, slope: str) -> tuple[Tensor, Tensor] | None:
    """What `Propagation.bounds` gives with intervals inside; None where this has no way of its own."""
    run = run_of(graph, shortened=False)
    if run is None or not torch.is_grad_enabled() or not _suits(run, region, spec):
        return None
    program = program_of(graph, region.center.dtype, True, _count(run, spec))
    if program is None:
        return None
    parts = [part for part in (region.center, region.radius, region.low, region.high) if isinstance(part, Tensor)]
    both = torch.stack(region.corners) if any(part.requires_grad for part in parts) else None
    low, high = _Rows.apply(graph, run, program, region, slope, parts, both, spec, *run.parameters())
    return low, high


def _suits(run: Run, region: Region, spec: Tensor | None) -> bool:
    """Whether a run ends in a layer, whose rows are few enough to be better moved one by one."""
    center, count = region.center, _count(run, spec)
    if region.norm != "inf" or center.dim() != 2 or len(center) == 0 or not center.is_cpu or center.dtype not in ONE:
        return False
    if len(run.steps) == 1 or run.steps[-1].curve is not None:
        return False
    if spec is not None and (spec.dtype is not center.dtype or spec.shape[-1] != run.sizes[-1][0]):
        return False
    shared = spec is None or spec.dim() == 2
    few = 0 < count <= MOST and not (shared and count > run.sizes[-1][1])
    return few and alone(2 * count * sum(m * n for m, n in run.sizes) * len(center))


def _count(run: Run, spec: Tensor | None) -> int:
    """How many rows each sample has."""
    return run.sizes[-1][0] if spec is None else spec.shape[-2]


class _Known:
    """Bounds of a run over a region, and what was kept of them for the way back."""

    def __init__(
        self, run: Run, program: Program, region: Region, spec: Tensor | None, parameters: Sequence[Any], slope: str
    ) -> None:
        self.run, self.program, self.region, self.slope = run, program, region, slope
        self.spec, dtype, batch = spec, region.center.dtype, region.center.shape[0]
        self.inside = run.shortened
        self.count, self.piece = _count(run, spec), piece_of(self.inside)
        kept = kept_of(self.inside, dtype, batch, self.piece)
        self.plan = plan_of(program, dtype, kept, batch, self.count, spec is None)
        self._loan = Loan(self.plan.room * dtype.itemsize)
        self._weights: list[tuple[Tensor | None, Tensor | None]] = [(None, None)] * len(program.table)
        for step, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
            self._weights[2 * step + 1] = weight.contiguous(), None if bias is None else bias.contiguous()
        keeping = Keeping(self.plan.table.copy(), self._loan.address, self.plan.room)
        self.bounds = ran(program, self._weights, region, spec, "ibp", slope, keeping)

    @property
    def behind(self) -> int:
        """Address of boxes behind curves."""
        return self._loan.address + self.plan.behind * self.region.center.itemsize

    def back(self, given: Tensor, targets: np.ndarray[Any, Any], to_box: Tensor | None) -> Tensor:
        """Gradients in rows at the last curve, less those in their negatives, [batch or 1, rows, size].

        Args:
            given: gradients in lower bounds and in the negatives of upper ones, [batch, 2 * rows].
            targets: addresses of what is written, see `kernels.rows_back`.
            to_box: gradients in centre and radius, [2, batch, inputs], are written.
        """
        center, plan, program, shared = self.region.center, self.plan, self.program, self.spec is None
        low, high, radius = ends_of(self.region)
        tops = center.new_empty((1 if shared else len(center), self.count, self.run.sizes[-1][1]))
        weights, table, dtype = addresses_of(self._weights), plan.table.copy(), center.dtype
        wider = scratch(2 * program.samples * program.features * program.wide.itemsize)
        arguments = (
            table.ctypes.data, program.places[1], program.places[2], weights.ctypes.data, targets.ctypes.data,
            plan.areas.ctypes.data, tangents_of(dtype)[1], low.data_ptr(), address(high), radius, given.data_ptr(),
            tops.data_ptr(), address(to_box), self._loan.address, wider, plan.panels.ctypes.data,
            plan.depths.ctypes.data, len(table) - 1, len(center), program.samples, 2 * self.count, plan.room,
            program.work, shared, CHOICES.index(self.slope), register(), ONE[dtype], BITS[dtype], ONE[program.wide],
        )  # fmt: skip
        patiently(run_kernels()["rows"], (dtype, program.wide), *arguments)
        return tops


class _Rows(torch.autograd.Function):
    """`backward_bounds` with gradients in corners, specification, weights and biases."""

    @staticmethod
    def forward(
        ctx: Any, graph: Graph, run: Run, program: Program, region: Region, slope: str, parts: list[Tensor],
        both: Tensor | None, spec: Tensor | None, *parameters: Tensor | None,
    ) -> Any:  # fmt: skip
        ctx.given, ctx.known = (run, program, region, slope), None
        # The region's own tensors are kept to see that they are the same still.
        ctx.save_for_backward(both, spec, *parameters, *parts)
        if region.center.shape[0] <= FEW:
            return bounds(graph, region, spec, "ibp", slope) or Propagation(graph, region, "ibp", slope).bounds(spec)
        ctx.known = _Known(run, program, region, spec, parameters, slope)
        low, high = ctx.known.bounds.unbind()
        return low, high

    @staticmethod
    def backward(ctx: Any, to_low: Tensor, to_high: Tensor) -> Any:
        run, program, region, slope = ctx.given
        both, spec, *saved = ctx.saved_tensors
        parameters = saved[: 2 * len(run.steps)]
        run.check(parameters, region.center, to_low)
        if torch.is_grad_enabled():
            inputs, given = (both, spec, *parameters), (to_low, to_high)
            return None, None, None, None, None, None, *_differentiably(run, region, slope, inputs, given)
        known, ctx.known = ctx.known, None  # as torch lets go of what it kept; who comes again waits for it
        if known is None:
            known = _Known(run, program, region, spec, parameters, slope)
        found = _gradients(known, parameters, both, torch.cat([to_low, -to_high], 1), ctx.needs_input_grad[6:])
        return None, None, None, None, None, None, *found


def _differentiably(
    run: Run, region: Region, slope: str, inputs: Sequence[Any], given: Sequence[Tensor]
) -> list[Tensor | None]:
    """Gradients that have gradients themselves, by the way of any graph.

    Args:
        run: whose bounds they are of.
        region: over which.
        slope: the choice of it.
        inputs: the region's corners, the specification, and weights and biases.
        given: gradients in both bounds.
    """
    # Aliases: what reaches one input by way of another one is not for this operation to count.
    aliases = [None if part is None else part.view_as(part) for part in inputs]
    corners, spec, *parameters = aliases
    where = region if corners is None else Region.box(*corners.unbind())
    with plainly():
        found = Propagation(run.graph(parameters), where, "ibp", slope).bounds(spec)
    wanted = [part for part in aliases if part is not None and part.requires_grad]
    slopes = iter(torch.autograd.grad(found, wanted, given, create_graph=True, allow_unused=True))
    return [next(slopes) if part is not None and part.requires_grad else None for part in aliases]


def _gradients(
    known: _Known, parameters: Sequence[Any], both: Tensor | None, given: Tensor, wanted: Sequence[bool]
) -> list[Any]:
    """In the corners, the specification, and each weight and bias.

    Args:
        known: the bounds.
        parameters: weights and biases.
        both: corners, None where they have no gradient.
        given: see `_Known.back`.
        wanted: whether corners, specification, and each parameter have one.
    """
    center, inside, last = known.region.center, known.inside, len(known.inside.steps)
    rows = [torch.empty_like(part, memory_format=torch.contiguous_format) if want and part is not None else None
            for part, want in zip(parameters[: 2 * last], wanted[2:], strict=False)]  # fmt: skip
    ends = [center.new_empty((2, len(center), outputs)) for outputs, _ in inside.sizes]
    targets = np.zeros((len(known.plan.table), 3), np.int64)
    for step, (weight, bias, end) in enumerate(zip(rows[::2], rows[1::2], ends, strict=True)):
        targets[2 * step + 1] = address(weight), address(bias), end.data_ptr()
    to_box = center.new_empty((2, *center.shape)) if wanted[0] else None
    tops = known.back(given, targets, to_box)
    to_spec, *top = _of_last(tops, known.spec, parameters[2 * last :], given, wanted[1])
    passage = Passage(inside, parameters[: 2 * last], *start_of(inside, known.region, both), known.piece)
    to_both, *boxes = passage.back(
        ends[-1].unbind(), wanted[2 : 2 + 2 * last], wanted[0], ends[:-1], known.behind
    )  # fmt: skip
    if to_both is not None and to_box is not None:
        to_both.add_(torch.stack(to_ends(to_box[0], to_box[1], to_both.dtype)))
    each = [part if more is None or part is None else part.add_(more) for part, more in zip(boxes, rows, strict=True)]
    return [to_both, to_spec, *each, *(part if want else None for part, want in zip(top, wanted[-2:], strict=True))]


def _of_last(
    tops: Tensor, spec: Tensor | None, last: Sequence[Tensor | None], given: Tensor, to_spec: bool
) -> tuple[Tensor | None, Tensor, Tensor]:
    """In the specification, and in weight and bias of the last layer, where rows begin."""
    own, turned = given.chunk(2, 1)
    to_odd, (weight, bias) = own - turned, last
    if spec is None:
        return None, tops[0], to_odd.sum(0)
    assert weight is not None
    rows = (spec if spec.dim() == 3 else spec.expand(len(tops), -1, -1)).flatten(0, 1)
    to_weight, to_bias, to_rows = crossed(rows, tops.flatten(0, 1)), to_odd.flatten() @ rows, None
    if to_spec:
        to_rows = linear(tops, weight)
        to_rows = to_rows if bias is None else torch.addcmul(to_rows, to_odd.unsqueeze(2), bias)
        to_rows = to_rows if spec.dim() == 3 else to_rows.sum(0)
    return to_rows, to_weight, to_bias
