"""Fully connected actor and critic of one shape, run side by side as batched products, differentiated by hand.

A minibatch is so small that the price of an operation is its call. Stacked, both networks take half the calls, and the
chain rule written out needs fewer than autograd, with which a test compares it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from sparring_plugins.learners.actor_critic import Act, Array, Forward, Pieces
from sparring_plugins.learners.initial import orthogonal
from sparring_plugins.learners.layout import Layout, Parameters

__all__ = ["MlpPair"]


@dataclass(frozen=True)
class MlpPair:
    """Hidden layers of both networks are stacked, [2, neurons, inputs], the actor first."""

    sizes: tuple[int, ...]
    """Of the input and of each hidden layer."""
    outputs: int
    """Of the actor; the critic has one."""
    activation: str
    """`tanh` or `relu`."""

    width = 0

    @property
    def _hidden(self) -> list[tuple[str, str]]:
        return [(f"hidden{place}.weight", f"hidden{place}.bias") for place in range(len(self.sizes) - 1)]

    @cached_property
    def layout(self) -> Layout:
        """Hidden layers, then the last layer of each."""
        shapes: dict[str, tuple[int, ...]] = {}
        for (weight, bias), (before, after) in zip(self._hidden, pairwise(self.sizes), strict=True):
            shapes |= {weight: (2, after, before), bias: (2, 1, after)}
        for name, count in (("policy", self.outputs), ("value", 1)):
            shapes |= {f"{name}.weight": (count, self.sizes[-1]), f"{name}.bias": (count,)}
        return Layout(shapes)

    def initial(self, rng: np.random.Generator, gain: float) -> dict[str, NDArray[np.float64]]:
        """Orthogonal."""
        found = {}
        for (weight, _), (before, after) in zip(self._hidden, pairwise(self.sizes), strict=True):
            found[weight] = np.stack([orthogonal(rng, after, before, math.sqrt(2)) for _ in range(2)])
        found["policy.weight"] = orthogonal(rng, self.outputs, self.sizes[-1], gain)
        found["value.weight"] = orthogonal(rng, 1, self.sizes[-1], 1.0)
        return found

    def acting(self, at: Mapping[str, Tensor]) -> Act:
        """The actor alone, in numpy, whose calls cost a third of torch's for the few rows of a step."""
        bend = np.tanh if self.activation == "tanh" else _relu
        layers = [(at[weight][0].numpy().T, at[bias][0].numpy()) for weight, bias in self._hidden]
        last, shift = at["policy.weight"].numpy().T, at["policy.bias"].numpy()

        def act(seen: Array, memory: Array) -> tuple[Array, Array]:
            for weight, bias in layers:
                seen = bend(seen @ weight + bias)
            return seen @ last + shift, memory

        return act

    def values(self, at: Mapping[str, Tensor], seen: Tensor, memory: Tensor) -> Tensor:
        """The critic alone."""
        for weight, bias in self._hidden:
            seen = self._bent(linear(seen, at[weight][1], at[bias][1, 0]))
        return linear(seen, at["value.weight"], at["value.bias"])[:, 0]

    def forward(self, parameters: Parameters, seen: Tensor, pieces: Pieces | None) -> Forward:
        """Both at once."""
        at = parameters.at
        layers = [seen.expand(2, *seen.shape)]
        for weight, bias in self._hidden:
            layers.append(self._quickly_bent(torch.baddbmm(at[bias], layers[-1], at[weight].mT)))
        outputs = torch.addmm(at["policy.bias"], layers[-1][0], at["policy.weight"].t())
        values = torch.addmm(at["value.bias"], layers[-1][1], at["value.weight"].t())[:, 0]
        return Forward(outputs, values, lambda upper, lower: self._back(parameters, layers, upper, lower[:, None]))

    def _back(self, parameters: Parameters, layers: list[Tensor], outputs: Tensor, values: Tensor) -> None:
        """The chain rule, from the gradients of both outputs down to the first layer."""
        at, into = parameters.at, parameters.gradient_at
        slopes = torch.empty_like(layers[-1])
        for place, (name, slope) in enumerate((("policy", outputs), ("value", values))):
            torch.mm(slope.t(), layers[-1][place], out=into[f"{name}.weight"])
            torch.sum(slope, 0, out=into[f"{name}.bias"])
            torch.mm(slope, at[f"{name}.weight"], out=slopes[place])
        for (weight, bias), above, below in zip(self._hidden[::-1], layers[:0:-1], layers[-2::-1], strict=True):
            slopes = self._unbent(slopes, above)
            torch.bmm(slopes.mT, below, out=into[weight])
            torch.sum(slopes, 1, keepdim=True, out=into[bias])
            if weight != self._hidden[0][0]:
                slopes = torch.bmm(slopes, at[weight])

    def _bent(self, sums: Tensor) -> Tensor:
        return sums.tanh_() if self.activation == "tanh" else sums.relu_()

    def _quickly_bent(self, sums: Tensor) -> Tensor:
        """The same within a few units in the last place; numpy's tanh was measured eight times as fast as torch's."""
        if self.activation == "tanh":
            np.tanh(sums.numpy(), out=sums.numpy())
            return sums
        return sums.relu_()

    def _unbent(self, slopes: Tensor, bent: Tensor) -> Tensor:
        """Gradients before the activation, from those after it and what it gave."""
        if self.activation == "tanh":
            return torch.addcmul(slopes, slopes * bent, bent, value=-1)
        return slopes * (bent > 0)

    def described(self, at: Mapping[str, Tensor], part: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Layers `fc0`, `fc1`, ..., `out`."""
        place = 0 if part == "policy" else 1
        tensors = {f"{part}.out.{name}": at[f"{part}.{name}"].numpy().copy() for name in ("weight", "bias")}
        for number, (weight, bias) in enumerate(self._hidden):
            tensors[f"{part}.fc{number}.weight"] = at[weight][place].numpy().copy()
            tensors[f"{part}.fc{number}.bias"] = at[bias][place, 0].numpy().copy()
        sizes = [*self.sizes, self.outputs if part == "policy" else 1]
        told = {"kind": "mlp", "sizes": sizes, "hidden_activation": self.activation, "output_activation": "none"}
        return told, tensors


def _relu(sums: Array) -> Array:
    return np.maximum(sums, np.float32(0))
