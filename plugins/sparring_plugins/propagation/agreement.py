"""Whether a graph computes what the module computes."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, nn

from sparring.errors import RefusedError
from sparring_plugins.propagation.graph import Graph
from sparring_plugins.propagation.nodes import Interval

__all__ = ["compare"]


def _random_state(like: Tensor) -> Tensor:
    """State of the generators that a module on this device may draw from."""
    state = torch.get_rng_state()
    return torch.cat([state, torch.cuda.get_rng_state(like.device)]) if like.is_cuda else state


@lru_cache(maxsize=8)
def _steps(shape: torch.Size, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Nothing for the first sample, and from -1 to 1 for the other, another value for each feature."""
    step = torch.linspace(-1, 1, shape.numel(), dtype=dtype, device=device).view(shape)
    return torch.stack([torch.zeros_like(step), step])


def _samples(example: Tensor) -> Tensor:
    """The first sample, and another at a distance of the size of its values, their quadratic mean."""
    first = example[0].contiguous()
    size = float(torch.linalg.vector_norm(first)) / max(first.numel(), 1) ** 0.5
    scale = min(1.0, max(0.01, size))  # in this order: of no number it makes the least
    return torch.add(first, _steps(first.shape, first.dtype, first.device), alpha=scale)


def compare(graph: Graph, module: nn.Module, example: Tensor, untouched: Callable[[], bool]) -> None:
    """Refuse a graph that is not the module's, on two samples where it was traced with more: the first, and another.

    A module that gives other values each time is refused as well; it is called again unless it was `untouched` by the
    first call, with all that its code can see.
    """
    name, inputs = type(module).__name__, _samples(example)
    drawn = _random_state(example)
    wanted = module(inputs.clone())
    if not torch.equal(drawn, _random_state(example)):
        raise RefusedError(f"bounds: {name} draws random numbers, so it has no bounds")
    if isinstance(wanted, Tensor) and not untouched() and not _same(wanted, module(inputs.clone())):
        raise RefusedError(f"bounds: {name} gives other values each time it is called, so it has no bounds")
    if not isinstance(wanted, Tensor) or not _agree(graph, inputs, wanted):
        raise RefusedError(f"bounds: the traced graph of {name} differs from the module itself")


def _same(first: Tensor, again: Any) -> bool:
    """Whether two calls gave the same, but for sums that devices other than a processor take in any order."""
    if not isinstance(again, Tensor) or first.shape != again.shape or first.dtype != again.dtype:
        return False
    close = 0.0 if first.is_cpu or not first.is_floating_point() else 64 * torch.finfo(first.dtype).eps
    return torch.allclose(first, again, rtol=close, atol=close, equal_nan=True)


def _agree(graph: Graph, inputs: Tensor, wanted: Tensor) -> bool:
    """Whether both give the same; where rounding is large, whether it explains the difference."""
    found = graph.value(inputs)
    if wanted.shape != found.shape or wanted.dtype != found.dtype:
        return False
    if torch.equal(wanted, found):
        return True
    close = {torch.float32: 1e-4, torch.float64: 1e-9}.get(inputs.dtype, 1e-2)
    # Beside a domain, or where it overflows, the module gives no number, and no bound either.
    known = wanted.isfinite()
    if torch.allclose(wanted[known], found[known], close, close):
        return True
    low, high = _point_interval(graph, inputs)
    return bool(((low <= wanted) & (wanted <= high))[known].all())


def _point_interval(graph: Graph, inputs: Tensor) -> Interval:
    """What the output may be for these very inputs: all that is between the ends is rounding."""
    found = [Interval(inputs, inputs)]
    for node in graph.nodes[1:]:
        found.append(node.interval(*(found[place] for place in node.inputs)))
    return found[-1]
