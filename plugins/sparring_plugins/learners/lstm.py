"""Actor and critic with an LSTM layer each; their memory is h and c of the actor, then of the critic."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import linear

from sparring_plugins.learners.actor_critic import Act, Array, Forward, Pieces
from sparring_plugins.learners.initial import orthogonal
from sparring_plugins.learners.layout import Layout, Parameters

__all__ = ["LstmPair"]

PARTS = ("policy", "value")
CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


@dataclass(frozen=True)
class LstmPair:
    """`out(h')` where `(h', c') = cell(embed(x), (h, c))`, as `sparring_plugins.networks.lstm` has it."""

    inputs: int
    embed: int
    hidden: int
    outputs: int
    """Of the actor; the critic has one."""

    @property
    def width(self) -> int:
        """Four times the state: h and c of both."""
        return 4 * self.hidden

    def _sizes(self, part: str) -> tuple[int, int, int, int]:
        return self.inputs, self.embed, self.hidden, self.outputs if part == "policy" else 1

    @cached_property
    def layout(self) -> Layout:
        """Both networks, one after the other."""
        shapes: dict[str, tuple[int, ...]] = {}
        for part in PARTS:
            inputs, embed, hidden, outputs = self._sizes(part)
            cell = ((4 * hidden, embed), (4 * hidden, hidden), (4 * hidden,), (4 * hidden,))
            shapes |= {f"{part}.embed.weight": (embed, inputs), f"{part}.embed.bias": (embed,)}
            shapes |= {f"{part}.lstm.{name}": shape for name, shape in zip(CELL, cell, strict=True)}
            shapes |= {f"{part}.out.weight": (outputs, hidden), f"{part}.out.bias": (outputs,)}
        return Layout(shapes)

    def initial(self, rng: np.random.Generator, gain: float) -> dict[str, NDArray[np.float64]]:
        """Orthogonal, each gate by itself; forget gates start open (Jozefowicz, Zaremba, Sutskever 2015)."""
        found = {}
        for part, last in zip(PARTS, (gain, 1.0), strict=True):
            inputs, embed, hidden, outputs = self._sizes(part)
            found[f"{part}.embed.weight"] = orthogonal(rng, embed, inputs, 1.0)
            for name, size in (("weight_ih", embed), ("weight_hh", hidden)):
                found[f"{part}.lstm.{name}"] = np.concatenate([orthogonal(rng, hidden, size, 1.0) for _ in range(4)])
            found[f"{part}.lstm.bias_ih"] = np.repeat([0.0, 1.0, 0.0, 0.0], hidden)
            found[f"{part}.out.weight"] = orthogonal(rng, outputs, hidden, last)
        return found

    def acting(self, at: Mapping[str, Tensor]) -> Act:
        """Both networks move on, the actor's output is given."""

        def act(seen: Array, memory: Array) -> tuple[Array, Array]:
            given = torch.from_numpy(seen), torch.from_numpy(memory)
            ours, theirs = (self._step(at, part, *given) for part in PARTS)
            outputs = linear(ours[0], at["policy.out.weight"], at["policy.out.bias"])
            return outputs.numpy(), torch.cat([*ours, *theirs], dim=1).numpy()

        return act

    def values(self, at: Mapping[str, Tensor], seen: Tensor, memory: Tensor) -> Tensor:
        """One step of the critic."""
        return linear(self._step(at, "value", seen, memory)[0], at["value.out.weight"], at["value.out.bias"])[:, 0]

    def forward(self, parameters: Parameters, seen: Tensor, pieces: Pieces | None) -> Forward:
        """Both through all pieces, differentiated by autograd."""
        assert pieces is not None
        leaf = parameters.flat.detach().requires_grad_()
        with torch.enable_grad():
            at = parameters.layout.views(leaf)
            outputs, values = (self._run(at, part, seen, pieces) for part in PARTS)

        def back(upper: Tensor, lower: Tensor) -> None:
            (found,) = torch.autograd.grad((outputs, values), leaf, (upper, lower[:, None]))
            own = self.layout.size  # what lies behind belongs to the head
            parameters.gradient[:own] = found[:own]

        return Forward(outputs.detach(), values.detach()[:, 0], back)

    def described(self, at: Mapping[str, Tensor], part: str) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The names are the files' own."""
        inputs, embed, hidden, outputs = self._sizes(part)
        told = {"kind": "lstm", "in": inputs, "embed": embed, "hidden": hidden, "out": outputs}
        return told, {name: at[name].numpy().copy() for name in self.layout.shapes if name.startswith(f"{part}.")}

    def _state(self, part: str, memory: Tensor) -> tuple[Tensor, Tensor]:
        first = 0 if part == "policy" else 2 * self.hidden
        return memory[:, first : first + self.hidden], memory[:, first + self.hidden : first + 2 * self.hidden]

    def _step(self, at: Mapping[str, Tensor], part: str, seen: Tensor, memory: Tensor) -> tuple[Tensor, Tensor]:
        inner = linear(seen, at[f"{part}.embed.weight"], at[f"{part}.embed.bias"])
        return torch.lstm_cell(inner, self._state(part, memory), *(at[f"{part}.lstm.{name}"] for name in CELL))

    def _run(self, at: Mapping[str, Tensor], part: str, seen: Tensor, pieces: Pieces) -> Tensor:
        """Outputs of one network for each row, [batch, outputs]."""
        inner = linear(seen, at[f"{part}.embed.weight"], at[f"{part}.embed.bias"])[pieces.rows]
        start = [each[None].contiguous() for each in self._state(part, pieces.memory)]
        cell = [at[f"{part}.lstm.{name}"] for name in CELL]
        shown, _, _ = torch.lstm(inner, start, cell, True, 1, 0.0, True, False, False)
        return linear(shown.flatten(0, 1)[pieces.places], at[f"{part}.out.weight"], at[f"{part}.out.bias"])
