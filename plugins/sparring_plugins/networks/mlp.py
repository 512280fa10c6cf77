"""Fully connected networks; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

from torch import Tensor, nn
from torch.nn.functional import linear

from sparring.errors import RequestError
from sparring_plugins.networks.activations import activation

__all__ = ["Mlp"]


class Mlp(nn.Module):
    """Layers `fc0`, `fc1`, ..., each with the hidden activation after it, then `out` with its own."""

    recurrent = False

    def __init__(self, sizes: Sequence[int], hidden: str = "tanh", output: str = "none") -> None:
        """`sizes` are those of the input, of each hidden layer and of the output."""
        super().__init__()
        self.hidden = activation(hidden)
        self.output = activation(output)
        self.depth = len(sizes) - 2
        for place in range(self.depth):
            self.add_module(f"fc{place}", nn.Linear(sizes[place], sizes[place + 1]))
        self.out = nn.Linear(sizes[-2], sizes[-1])

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The network of a description `{kind: mlp, sizes, hidden_activation, output_activation}`.

        Raises:
            RequestError: sizes that are none, or an unknown activation.
        """
        sizes = told.get("sizes")
        if not isinstance(sizes, list) or len(sizes) < 2 or not all(type(n) is int and n > 0 for n in sizes):
            raise RequestError(f"an mlp of sizes {sizes!r}, expected a list of 2 or more whole numbers from 1")
        return cls(sizes, told.get("hidden_activation", "tanh"), told.get("output_activation", "none"))

    def forward(self, inputs: Tensor) -> Tensor:
        """[batch, inputs] to [batch, outputs]."""
        for place in range(self.depth):
            inputs = self.hidden(getattr(self, f"fc{place}")(inputs))
        outputs: Tensor = self.output(self.out(inputs))
        return outputs

    def bare(self) -> Callable[[Tensor], Tensor]:
        """The same numbers, bit for bit, without what torch does besides in calling a module: half the time of a step.

        It keeps the tensors that the layers have now.
        """
        layers: list[Any] = [*(self.get_submodule(f"fc{place}") for place in range(self.depth)), self.out]
        after = [*[self.hidden.forward] * self.depth, self.output.forward]
        steps = [(layer.weight, layer.bias, shape) for layer, shape in zip(layers, after, strict=True)]

        def run(inputs: Tensor) -> Tensor:
            for weight, bias, shape in steps:
                inputs = shape(linear(inputs, weight, bias))
            return inputs

        return run
