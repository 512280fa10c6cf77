"""What PPO asks of a pair of networks, actor and critic, whatever they are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from sparring_plugins.learners.layout import Layout, Parameters

__all__ = ["Act", "ActorCritic", "Array", "Forward", "Pieces"]

Array = NDArray[np.float32]
Act = Callable[[Array, Array], tuple[Array, Array]]
"""From observations [batch, inputs] and memory [batch, width] to outputs [batch, outputs] and the next memory."""


@dataclass(frozen=True, eq=False)
class Pieces:
    """Where the rows of a minibatch stand in the pieces of episodes that a recurrent network runs through."""

    memory: Tensor
    """Before the first step of each piece, [pieces, width]; whatever where a column of `rows` is not used."""
    rows: Tensor
    """Which row each step of each piece is, row 0 beyond its end and in columns that are not used, [steps, pieces]."""
    places: Tensor
    """Where each row stands in `rows` laid out flat, [batch]."""


class Forward(NamedTuple):
    """What both networks give for a minibatch."""

    outputs: Tensor
    """Of the actor, [batch, outputs]."""
    values: Tensor
    """Of the critic, [batch]."""
    back: Callable[[Tensor, Tensor], None]
    """Takes the gradients of both and writes those of the networks' weights, whatever stood there before."""


class ActorCritic(Protocol):
    """Two networks, one policy's and one of values, that share nothing but the flat vector they lie in."""

    @property
    def width(self) -> int:
        """Numbers that they remember of one episode, both together; 0 for none."""
        ...

    @property
    def layout(self) -> Layout:
        """Names and shapes of all weights."""
        ...

    def initial(self, rng: np.random.Generator, gain: float) -> dict[str, NDArray[np.float64]]:
        """First weights by name, with that gain of the actor's last layer; what is left out starts at 0."""
        ...

    def acting(self, at: Mapping[str, Tensor]) -> Act:
        """One step of acting, with the memory of both networks moved on."""
        ...

    def values(self, at: Mapping[str, Tensor], seen: Tensor, memory: Tensor) -> Tensor:
        """Values [batch] of observations [batch, inputs], given the memory [batch, width] before them."""
        ...

    def forward(self, parameters: Parameters, seen: Tensor, pieces: Pieces | None) -> Forward:
        """Run a minibatch [batch, inputs] so that it can be differentiated; recurrent networks need the pieces."""
        ...

    def described(self, at: Mapping[str, Tensor], part: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """One of the networks, `policy` or `value`, as portable files have it: architecture, and tensors by name."""
        ...
