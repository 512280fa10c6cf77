"""Convolutions with a GRU cell, for single frames of Atari games; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring_plugins.networks.activations import activation
from sparring_plugins.networks.gates import Gates

__all__ = ["ConvGru"]


class ConvGru(nn.Module):
    """`conv1` to `convN`, each with its activation, a GRU cell (Cho et al. 2014) and a linear head.

    The state is [batch, hidden], and 0 when an episode begins. Gates stand in the order r, z, n.
    """

    recurrent = True

    def __init__(
        self,
        shape: Sequence[int],
        channels: Sequence[int],
        hidden: int,
        outputs: int,
        *,
        kernel: int = 3,
        stride: int = 2,
        padding: int = 1,
        between: str = "elu",
        head: str = "policy",
    ) -> None:
        """Shape of a frame [channels, rows, columns], channels after each convolution, sizes, and the head's name."""
        super().__init__()
        self.between, self.depth, self.head = activation(between), len(channels), head
        size, rows, columns = shape
        for place, after in enumerate(channels):
            self.add_module(f"conv{place + 1}", nn.Conv2d(size, after, kernel, stride=stride, padding=padding))
            size = after
            rows, columns = ((side + 2 * padding - kernel) // stride + 1 for side in (rows, columns))
        self.gru = Gates(size * rows * columns, hidden, 3)
        self.add_module(head, nn.Linear(hidden, outputs))
        self.hidden = self.width = hidden

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The network of a description `{kind: conv-gru, input, channels, hidden, out, kernel, stride, padding, ...}`.

        Raises:
            RequestError: a shape or size that is none.
        """
        shape, channels = told.get("input"), told.get("channels")
        if not (isinstance(shape, list) and len(shape) == 3 and isinstance(channels, list) and channels):
            raise RequestError(f"a conv-gru of frames {shape!r} and channels {channels!r}, expected two lists of sizes")
        sizes = {name: told.get(name, usual) for name, usual in (("kernel", 3), ("stride", 2), ("padding", 1))}
        whole = [*shape, *channels, told.get("hidden"), told.get("out"), sizes["kernel"], sizes["stride"]]
        if not all(type(size) is int and size > 0 for size in whole) or type(sizes["padding"]) is not int:
            raise RequestError(f"a conv-gru of sizes {whole}, expected whole numbers from 1")
        between, head = told.get("activation", "elu"), told.get("head", "policy")
        return cls(shape, channels, told["hidden"], told["out"], between=between, head=head, **sizes)

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, channels, rows, columns] and [batch, hidden] to [batch, outputs] and the next state."""
        for place in range(self.depth):
            inputs = self.between(self.get_submodule(f"conv{place + 1}")(inputs))
        seen, held = self.gru.of_input(torch.flatten(inputs, 1)), self.gru.of_state(state)
        size = self.hidden
        reset = torch.sigmoid(seen[:, :size] + held[:, :size])
        keep = torch.sigmoid(seen[:, size : 2 * size] + held[:, size : 2 * size])
        fresh = torch.tanh(seen[:, 2 * size :] + reset * held[:, 2 * size :])
        after = fresh + keep * (state - fresh)
        outputs: Tensor = self.get_submodule(self.head)(after)
        return outputs, after
