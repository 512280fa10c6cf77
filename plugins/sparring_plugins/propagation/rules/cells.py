"""One step of a recurrent cell; its state is part of the input."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sparring_plugins.propagation.nodes import Interval, magnitude
from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.rounded import Rounded
from sparring_plugins.propagation.rounding import gamma, tiny
from sparring_plugins.propagation.rules.layers import attribute
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _gates(tracing: Tracing, path: str, module: Any, x: Ref, h: Any) -> list[Any]:
    """What comes of the input and of the state, for all gates in one."""
    parts = []
    for name, value in (("ih", x), ("hh", h)):
        weight, bias = attribute(module, f"weight_{name}"), attribute(module, f"bias_{name}")
        parts.append(tracing.apply(F.linear, value, weight, bias))
    return parts


def _state(tracing: Tracing, module: Any, input: Any) -> Any:
    """Zeros, where the cell is given no state."""
    if not isinstance(input, Ref) or len(input.shape) != 1:
        raise tracing.refuse(f"{tracing.doing} of anything but one vector a sample that depends on the network's input")
    return torch.zeros(1, module.hidden_size, dtype=input.like.dtype, device=input.like.device)


def _lstm(tracing: Tracing, path: str, module: nn.LSTMCell, input: Ref, hx: Any = None) -> tuple[Any, Any]:
    """Hochreiter and Schmidhuber 1997, with the gates in torch's order: input, forget, candidate, output."""
    do, zeros = tracing.apply, _state(tracing, module, input)
    h, c = (zeros, zeros) if hx is None else hx
    ours, theirs = _gates(tracing, path, module, input, h)
    enter, forget, candidate, leave = do(torch.chunk, do(torch.add, ours, theirs), 4, 1)
    kept = do(torch.mul, do(torch.sigmoid, forget), c)
    fresh = do(torch.mul, do(torch.sigmoid, enter), do(torch.tanh, candidate))
    state = do(torch.add, kept, fresh)
    return do(torch.mul, do(torch.sigmoid, leave), do(torch.tanh, state)), state


def _gru(tracing: Tracing, path: str, module: nn.GRUCell, input: Ref, hx: Any = None) -> Any:
    """Cho et al. 2014 as torch has it: `n = tanh(i_n + r h_n)`, and `(1 - z) n + z h`."""
    do, zeros = tracing.apply, _state(tracing, module, input)
    h = zeros if hx is None else hx
    chunks = [do(torch.chunk, part, 3, 1) for part in _gates(tracing, path, module, input, h)]
    ours, theirs = ([do(operator.getitem, part, gate) for gate in range(3)] for part in chunks)
    reset, update = (do(torch.sigmoid, do(torch.add, ours[gate], theirs[gate])) for gate in (0, 1))
    candidate = do(torch.tanh, do(torch.add, ours[2], do(torch.mul, reset, theirs[2])))
    mixed = do(torch.add, do(torch.mul, do(torch.rsub, update, 1.0), candidate), do(torch.mul, update, h))
    return _rounded(tracing, path, mixed, [part for part in (candidate, h) if isinstance(part, Ref)])


def _rounded(tracing: Tracing, path: str, mixed: Ref, parts: list[Ref]) -> Ref:
    """Widened for kernels that compute `(h - n) z + n`, in which `n` may cancel."""

    def reach(mixed: Interval, *parts: Interval) -> Tensor:
        dtype = mixed.low.dtype
        size = sum((magnitude(part) for part in parts), start=magnitude(mixed))
        return size * gamma(2, dtype) + tiny(2, dtype)

    node = Rounded(path, (mixed.place, *(part.place for part in parts)), mixed.shape, reach)
    return tracing.add(node, mixed, *parts)


FUNCTIONS: dict[Callable[..., Any], Rule] = {}
METHODS: dict[str, Rule] = {}
MODULES: dict[Any, Rule] = {nn.LSTMCell: _lstm, nn.GRUCell: _gru}
