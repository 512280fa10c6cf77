"""Victims and attackers of the kit's simulated games: small, known, and able to do all that a policy may declare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.attackers import AttackView
from sparring.simulated.chance import Chance

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Pilot", "Pusher", "TorchPilot", "chain", "pilot_of"]

Array = NDArray[Any]
Floats = NDArray[np.float64]
MEAN, DEVIATION = np.array([0.25, -0.5, 0.0]), np.array([2.0, 0.5, 1.0])
"""By which pilots normalise what they see."""
WEIGHTS = np.array([[-0.75, 0.25, 0.5], [0.25, -1.0, -0.25], [0.5, 0.75, -0.5]])
"""Row by row what each output makes of each normalised feature; two rows for vector actions."""
REMEMBERED = 0.5


@dataclass(frozen=True, eq=False)
class Pilot(Policy):
    """Steers by a table of weights, on what it sees and, where it remembers, on a running mean of what it has seen."""

    outputs_count: int
    """2 for vector actions, 3 for choices."""
    noise: float = 0.0
    """Deviation of vector actions; of choices any above 0 draws by a softmax."""
    memory: float = 0.0
    """Weight of the running mean."""
    normalises: bool = True
    weights: Floats = field(default_factory=WEIGHTS.copy)
    """[outputs or more, 3]."""

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """Whether it draws, and whether it remembers."""
        return frozenset({*(() if self.noise else (Ability.DETERMINISTIC,)),
                          *((Ability.RECURRENT,) if self.memory else ())})  # fmt: skip

    def begin(self, batch: int) -> Floats | None:
        """The running mean, from 0."""
        return np.zeros((batch, len(MEAN))) if self.memory else None

    def renew(self, memory: Floats | None, where: NDArray[np.bool_]) -> Floats | None:
        """Memory in which the marked episodes begin anew."""
        return None if memory is None else np.where(where[:, None], 0.0, memory)

    def normalised(self, observation: NDArray[np.generic]) -> Array:
        """What it works on, float64."""
        wide = np.asarray(observation, dtype=np.float64)
        return (wide - MEAN) / DEVIATION if self.normalises else wide

    def inner(self) -> Policy:
        """The same pilot for observations that are normalised already."""
        return replace(self, normalises=False)

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Steer."""
        return self.chosen(self.normalised(observation), memory, rng)

    def chosen(self, seen: Floats, memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Actions and memory after it, of the three numbers that it works on, [batch, 3]."""
        after = None if memory is None else REMEMBERED * memory + (1 - REMEMBERED) * seen
        outputs = self._steered(seen if after is None else seen + self.memory * after)
        if self.outputs_count == 2:
            return (outputs + self.noise * rng.standard_normal(outputs.shape) if self.noise else outputs), after
        if self.noise:
            ends = np.cumsum(np.exp(outputs), axis=1)
            return (ends < ends[:, -1:] * rng.random((len(ends), 1))).sum(axis=1), after
        return outputs.argmax(axis=1), after

    def _steered(self, seen: Floats) -> Floats:
        """[batch, outputs]; row by row, as no product of BLAS is."""
        rows = self.weights[: self.outputs_count]
        return np.tanh(sum(seen[:, [place]] * rows[:, place] for place in range(len(MEAN))))

    def to_document(self) -> dict[str, Any]:
        """All of it."""
        return {"kind": "kit-pilot", "outputs": self.outputs_count, "noise": self.noise, "memory": self.memory,
                "normalises": self.normalises, "weights": self.weights.tolist()}  # fmt: skip


class TorchPilot(Pilot):
    """A pilot without memory whose gradients, module, action values and critics are to be had; needs torch."""

    @property
    def abilities(self) -> frozenset[Ability]:
        """All that a memoryless network has."""
        found = {Ability.DIFFERENTIABLE, Ability.MODULE, Ability.CRITIC}
        return super().abilities | found | ({Ability.ACTION_VALUES} if self.outputs_count == 3 else set())

    @property
    def deviation(self) -> Array | None:
        """Of a Gaussian, [outputs]."""
        return np.full(2, self.noise) if self.noise and self.outputs_count == 2 else None

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """Actions, or action values, [batch, outputs]."""
        kept = self.__dict__.setdefault("_modules", {})  # making one takes longer than using it
        if observation.dtype not in kept:
            kept[observation.dtype] = self.module().to(observation.dtype)
        found: Tensor = kept[observation.dtype](observation)
        return found

    def __getstate__(self) -> dict[str, Any]:
        """What it is made of."""
        return {name: value for name, value in self.__dict__.items() if name != "_modules"}

    def action_values(self, observation: NDArray[np.generic], memory: Any) -> Floats:
        """`Q(s, .)`, [batch, 3]."""
        return self._steered(self.normalised(observation))

    def module(self) -> nn.Module:
        """Normalisation, weights and tanh, in float64."""
        import torch

        rows, scale = self.weights[: self.outputs_count], DEVIATION if self.normalises else np.ones(len(MEAN))
        shift = MEAN if self.normalises else np.zeros(len(MEAN))
        return chain(torch.tensor(rows / scale), -torch.tensor((rows * (shift / scale)).sum(axis=1)))

    @property
    def critics(self) -> tuple[str, ...]:
        """Judges of what it sees normalised."""
        return ("value",) if self.outputs_count == 3 else ("critic", "value")

    def network(self, part: str) -> nn.Module:
        """A judge: `V(s)`, or `Q(s, a)` of observation and action side by side, in float32."""
        import torch

        width = len(MEAN) + (self.outputs_count if part == "critic" else 0)
        return chain(torch.linspace(-1, 1, width)[None], torch.zeros(1)).float()


def chain(weight: Tensor, bias: Tensor) -> nn.Sequential:
    """A linear layer and tanh, made without a draw from the global generator."""
    import torch

    with torch.random.fork_rng(devices=[]), torch.no_grad():  # a new layer draws its weights from the global generator
        linear = torch.nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype)
        linear.weight.copy_(weight)
        linear.bias.copy_(bias)
    return torch.nn.Sequential(linear, torch.nn.Tanh()).requires_grad_(False)


@dataclass(frozen=True, eq=False)
class Pusher(Policy):
    """An attacker that proposes the rows of a table one after the other, whatever it sees."""

    reads_victim: ClassVar[bool] = False

    proposals: Floats
    """[steps, numbers], which begin again where they do not reach."""

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """None."""
        return frozenset()

    def begin(self, batch: int) -> NDArray[np.int64]:
        """Which row comes next in each episode."""
        return np.zeros(batch, dtype=np.int64)

    def renew(self, memory: Any, where: NDArray[np.bool_]) -> Any:
        """From the first row on."""
        return np.where(where, 0, memory)

    def propose(self, view: AttackView, memory: Any, rng: Chance) -> tuple[Array, Any]:
        """The next row."""
        columns = np.arange(view.width) % self.proposals.shape[1]
        return self.proposals[memory % len(self.proposals)][:, columns], memory + 1

    def to_document(self) -> dict[str, Any]:
        """The table."""
        return {"kind": "kit-pusher", "proposals": self.proposals.tolist()}


def pilot_of(document: Mapping[str, Any]) -> Policy:
    """A pilot or a pusher from its document."""
    if document["kind"] == "kit-pusher":
        return Pusher(np.asarray(document["proposals"], dtype=np.float64))
    if document["kind"] == "kit-gazer":
        from sparring.testing.pixels import Gazer

        made: type[Pilot] = Gazer
    else:
        made = Pilot
    return made(document["outputs"], document["noise"], document["memory"], document["normalises"],
                 np.asarray(document["weights"], dtype=np.float64))  # fmt: skip
