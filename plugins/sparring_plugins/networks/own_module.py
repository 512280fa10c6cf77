"""Policies that are torch modules of the user's own; imported only where torch is needed."""

from __future__ import annotations

import base64
import copy
import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance
from sparring_plugins.networks.stored import stored
from sparring_plugins.networks.threads import threads_for, work_of

__all__ = ["ModulePolicy", "filled", "read_state"]


def read_state(path: Path) -> Mapping[str, Tensor]:
    """A state dict, weights-only.

    Raises:
        RequestError: the file is missing, damaged, or holds more than tensors by name.
    """
    try:
        with path.open("rb") as stream:
            state = stored(stream)
    except OSError as error:
        raise RequestError(f"{path}: {error.strerror or error}") from error
    except Exception as error:  # torch raises any of many types for what it refuses
        raise RequestError(
            f"{path}: not a state dict that loads without running code: {type(error).__name__}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(each, Tensor) for each in state.values()):
        raise RequestError(f"{path}: not a state dict, that is tensors by name")
    return state


def filled(module: nn.Module, state: Mapping[str, Tensor], spec: str) -> nn.Module:
    """The module with that state, in evaluation mode.

    Raises:
        RequestError: names or shapes do not fit.
    """
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        raise RequestError(f"{spec}: the state does not fit the class: {' '.join(str(error).split())[:300]}") from error
    return module.eval().requires_grad_(False)


@dataclass(frozen=True, eq=False)
class ModulePolicy(Policy):
    """A memoryless module that takes what it gives, or the choice with its greatest output."""

    name: str
    network: nn.Module
    gives: Literal["action", "logits", "values"]

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that a module can."""
        found = {Ability.DETERMINISTIC, Ability.DIFFERENTIABLE, Ability.MODULE}
        return frozenset(found | ({Ability.ACTION_VALUES} if self.gives == "values" else set()))

    def begin(self, batch: int) -> None:
        """It carries no state."""

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[NDArray[Any], Any]:
        """Actions [batch, *action]."""
        found = self._run(observation)
        return (found if self.gives == "action" else found.argmax(axis=1)), memory

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """What the module gives, [batch, outputs]."""
        given: Tensor = self.network(observation.to(self._dtype))
        return given

    def module(self) -> nn.Module:
        """A copy of the module."""
        return copy.deepcopy(self.network)

    def action_values(self, observation: NDArray[np.generic], memory: Any) -> NDArray[np.float64]:
        """`Q(s, .)`, [batch, actions].

        Raises:
            RefusedError: the module gives no action values.
        """
        if self.gives != "values":
            raise RefusedError(f"{self.name}: gives {self.gives}, no action values")
        return self._run(observation).astype(np.float64)

    def to_document(self) -> dict[str, Any]:
        """Its spec and its tensors; the class is the user's own and is not written down."""
        stream = io.BytesIO()
        torch.save(self.network.state_dict(), stream)
        return {"kind": "torch", "spec": self.name, "state": base64.b64encode(stream.getvalue()).decode()}

    @property
    def _dtype(self) -> torch.dtype:
        return next((part.dtype for part in self.network.parameters()), torch.float32)

    def _run(self, observation: NDArray[np.generic]) -> NDArray[Any]:
        with torch.inference_mode(), threads_for(len(observation) * work_of(self.network)):
            found = self.network(torch.as_tensor(np.array(observation)).to(self._dtype))
        if not isinstance(found, Tensor) or found.dim() == 0 or len(found) != len(observation):
            raise RequestError(f"{self.name}: its module does not give one tensor [batch, outputs]")
        return np.asarray(found.numpy())
