"""A network with one LSTM layer, its state an input and an output; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

import torch
from torch import Tensor, nn

from sparring.errors import RequestError
from sparring_plugins.networks.activations import activation
from sparring_plugins.networks.gates import Gates

__all__ = ["Lstm"]


class Lstm(nn.Module):
    """`out(h')` where `(h', c') = cell(activation(embed(x)), (h, c))` (Hochreiter, Schmidhuber 1997).

    The state is [batch, 2 hidden], h before c, and 0 when an episode begins. Gates stand in the order i, f, g, o.
    """

    recurrent = True

    def __init__(self, inputs: int, embed: int, hidden: int, outputs: int, between: str = "none") -> None:
        """Sizes of the input, the embedding, h and the output; `between` follows the embedding."""
        super().__init__()
        self.embed = nn.Linear(inputs, embed)
        self.between = activation(between)
        self.lstm = Gates(embed, hidden, 4)
        self.out = nn.Linear(hidden, outputs)
        self.hidden, self.width = hidden, 2 * hidden

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Self:
        """The network of a description `{kind: lstm, in, embed, hidden, out, embed_activation}`.

        Raises:
            RequestError: a size that is none, or an unknown activation.
        """
        sizes = [told.get(name) for name in ("in", "embed", "hidden", "out")]
        if not all(type(size) is int and size > 0 for size in sizes):
            raise RequestError(f"an lstm of sizes {sizes}, expected whole numbers from 1 for in, embed, hidden and out")
        inputs, embed, hidden, outputs = (int(size) for size in sizes if size is not None)
        return cls(inputs, embed, hidden, outputs, told.get("embed_activation", "none"))

    def forward(self, inputs: Tensor, state: Tensor) -> tuple[Tensor, Tensor]:
        """[batch, inputs] and [batch, 2 hidden] to [batch, outputs] and the next state."""
        before, cell = state[:, : self.hidden], state[:, self.hidden :]
        sums = self.lstm.of_input(self.between(self.embed(inputs))) + self.lstm.of_state(before)
        size = self.hidden
        keep, forget = torch.sigmoid(sums[:, :size]), torch.sigmoid(sums[:, size : 2 * size])
        fresh, show = torch.tanh(sums[:, 2 * size : 3 * size]), torch.sigmoid(sums[:, 3 * size :])
        after = forget * cell + keep * fresh
        shown = show * torch.tanh(after)
        return self.out(shown), torch.cat([shown, after], dim=1)
