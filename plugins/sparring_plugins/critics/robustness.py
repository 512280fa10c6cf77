"""How far a critic's value moves where an action is changed a little; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from sparring.bounding import bound
from sparring.bounds import BoundBackend, Region
from sparring.registry import default_registry
from sparring.specs import Spec, parse

__all__ = ["LANGEVIN", "Penalty", "penalty_of"]

LANGEVIN = "sgld"
"""What stands for Langevin dynamics in place of a bound backend."""
CLIMBS = 5
"""Langevin steps."""
WARMTH = 0.05
"""Langevin noise, in units of the mean gradient."""

Penalty = Callable[[nn.Module, Tensor, Tensor, float], Tensor]
"""Of network, inputs [batch, inputs], values [batch] and radius: `max (Q(s, a_hat) - Q(s, a))^2` or a bound above it,
[batch]."""


def penalty_of(method: str, actions: int, beta: float, draw: torch.Generator) -> Penalty:
    """The inner maximum of the thesis' equation of `L_RS` (section 6.4.3).

    Args:
        method: a bound backend, for an upper bound that training pushes down; `sgld`, for the place that Langevin
            dynamics find, which is a lower bound.
        actions: how many of the last inputs are the action, which alone is changed.
        beta: weight of the backward bounds in `crown-ibp`, where its spec says none.
        draw: chance of the Langevin noise.
    """
    if method == LANGEVIN:
        return lambda network, inputs, values, radius: _climbed(network, inputs, values, radius, actions, draw)
    spec = parse(method)
    if spec.name == "crown-ibp" and "beta" not in spec.options:
        spec = Spec(spec.family, spec.name, {**spec.options, "beta": beta})
    backend = default_registry().create("bound-backend", str(spec))
    assert isinstance(backend, BoundBackend)
    return lambda network, inputs, values, radius: _bounded(network, inputs, values, radius, actions, backend)


def _bounded(
    network: nn.Module, inputs: Tensor, values: Tensor, radius: float, actions: int, backend: BoundBackend
) -> Tensor:
    reach = torch.zeros(inputs.shape[1])
    reach[-actions:] = radius
    low, high = bound(network, Region(inputs, reach), backend)
    return torch.maximum(high[:, 0] - values, values - low[:, 0]).square()


def _climbed(
    network: nn.Module, inputs: Tensor, values: Tensor, radius: float, actions: int, draw: torch.Generator
) -> Tensor:
    """As algorithm 6.11 climbs, on the squared difference."""
    centre = values.detach()
    change = torch.zeros(len(inputs), actions)
    for _ in range(CLIMBS):
        change.requires_grad_()
        with torch.enable_grad():
            height = (_moved(network, inputs.detach(), change, actions) - centre).square().sum()
            (slope,) = torch.autograd.grad(height, change)
        size = slope.abs().mean(dim=1, keepdim=True)
        noise = torch.randn(change.shape, generator=draw) * torch.where(size > 0, WARMTH * size, torch.ones_like(size))
        step = 2 * radius / CLIMBS
        change = (change.detach() + step * (slope + noise).sign()).clamp(-radius, radius)
    return (_moved(network, inputs, change, actions) - values).square()


def _moved(network: nn.Module, inputs: Tensor, change: Tensor, actions: int) -> Tensor:
    moved = torch.cat([inputs[:, :-actions], inputs[:, -actions:] + change], dim=1)
    found: Tensor = network(moved)[:, 0]
    return found
