"""A policy's network between what normalises its inputs and what shapes its outputs; imported only where torch is."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring_plugins.networks.layers import Step
from sparring_plugins.networks.mlp import Mlp
from sparring_plugins.networks.threads import threads_for, work_of

__all__ = ["Parts"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class Parts:
    """Three modules, run one after another."""

    before: nn.Module
    """Normalisation in float64, or nothing."""
    network: nn.Module
    """In float32."""
    after: nn.Module
    """From the network's outputs to the policy's."""
    normalises: bool

    @property
    def recurrent(self) -> bool:
        """Whether the network carries a state."""
        return bool(getattr(self.network, "recurrent", False))

    @cached_property
    def _work(self) -> int:
        return work_of(self.network)

    @cached_property
    def _bare(self) -> Callable[[Tensor], Tensor]:
        """Network and what comes after, of a memoryless policy."""
        network = self.network.bare() if isinstance(self.network, Mlp) else self.network
        if isinstance(self.after, nn.Identity):
            return network
        return lambda inputs: self.after(network(inputs))

    @property
    def width(self) -> int:
        """Numbers in the state of one episode; 0 where there is none."""
        return int(getattr(self.network, "width", 0))

    def run(self, seen: Array, memory: Any) -> tuple[Array, Any]:
        """Outputs [batch, outputs] for normalised observations, and the memory after them."""
        with torch.inference_mode(), threads_for(len(seen) * self._work):
            inputs = torch.from_numpy(seen)
            if not self.recurrent:
                return np.asarray(self._bare(inputs).numpy()), None
            outputs, state = self.network(inputs, torch.from_numpy(memory))
            return np.asarray(self.after(outputs).numpy()), np.asarray(state.numpy())

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """Outputs [batch, outputs] for observations, differentiable in them."""
        seen = self.before(observation.double() if self.normalises else observation).float()
        shown = self.network(seen, torch.from_numpy(np.asarray(memory)))[0] if self.recurrent else self.network(seen)
        found: Tensor = self.after(shown)
        return found

    def module(self) -> nn.Module:
        """A copy of all three as one module of one input."""
        return self._typed(nn.Sequential(self.before, self.network, self.after))

    def step(self) -> nn.Module:
        """A copy of all three as one module of an observation and a state."""
        return self._typed(Step(self.before, self.network, self.after))

    def first_state(self) -> Tensor:
        """The state in which every episode starts, [width], in the type of `step`."""
        return torch.zeros(self.width, dtype=torch.float64 if self.normalises else torch.float32)

    def _typed(self, module: nn.Module) -> nn.Module:
        # A copy, since what is handed out may be changed; in float64 where normalisation is done in it.
        fresh = copy.deepcopy(module).eval()
        return fresh.double() if self.normalises else fresh
