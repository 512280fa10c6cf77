"""The two linear maps of a recurrent cell, which torch keeps side by side; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from torch import nn

__all__ = ["Gates"]


class Gates(nn.Module):
    """Sums of all gates from the input and from the state, [batch, gates * hidden] each; the cell combines them."""

    stored: ClassVar[Mapping[str, str]] = {
        "of_input.weight": "weight_ih",
        "of_input.bias": "bias_ih",
        "of_state.weight": "weight_hh",
        "of_state.bias": "bias_hh",
    }
    """Names that torch's own cells give these tensors, and files too."""

    def __init__(self, inputs: int, hidden: int, gates: int) -> None:
        """Sizes of the input and of the state, and how many gates there are."""
        super().__init__()
        self.of_input = nn.Linear(inputs, gates * hidden)
        self.of_state = nn.Linear(hidden, gates * hidden)
