"""The convolutional network of Mnih et al. 2015 for stacked Atari frames; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring_plugins.networks.activations import activation
from sparring_plugins.networks.mlp import Mlp

__all__ = ["Nature"]


class Nature(nn.Module):
    """`conv1` (8, stride 4), `conv2` (4, stride 2), `conv3` (3, stride 1), `fc`, all with ReLU, then an MLP `head`."""

    recurrent = False

    def __init__(self, shape: Sequence[int], head: Sequence[int], hidden: str = "relu") -> None:
        """Shape of the stacked frames [stack, rows, columns], and the sizes of the head, its input first."""
        super().__init__()
        self.conv1 = nn.Conv2d(shape[0], 32, 8, stride=4)
        self.conv2 = nn.Conv2d(32, 64, 4, stride=2)
        self.conv3 = nn.Conv2d(64, 64, 3, stride=1)
        rows, columns = ((((side - 8) // 4 + 1 - 4) // 2 + 1) - 2 for side in shape[1:])
        self.fc = nn.Linear(64 * rows * columns, head[0])
        self.head = Mlp(head, hidden)
        self.between = activation("relu")

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The network of a description `{kind: nature, input, head, hidden_activation}`.

        Raises:
            RequestError: a shape that is none, or too small for the filters.
        """
        shape, head = told.get("input"), told.get("head")
        if not (isinstance(shape, list) and len(shape) == 3 and isinstance(head, list) and len(head) > 1):
            raise RequestError(f"a nature network of frames {shape!r} and head {head!r}, expected two lists of sizes")
        if not all(type(size) is int and size > 0 for size in (*shape, *head)) or min(shape[1:]) < 36:
            raise RequestError(
                f"a nature network of frames {shape} and head {head}: frames have 36 by 36 points or more"
            )
        return cls(shape, head, told.get("hidden_activation", "relu"))

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, stack, rows, columns] to [batch, outputs]."""
        inputs = self.between(self.conv1(inputs))
        inputs = self.between(self.conv2(inputs))
        inputs = self.between(self.conv3(inputs))
        outputs: Tensor = self.head(self.between(self.fc(torch.flatten(inputs, 1))))
        return outputs
