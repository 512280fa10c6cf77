"""Policies that are networks, with their normalisation, their state, and what their outputs mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError, RequestError
from sparring.forms import Form
from sparring.game import frozen
from sparring.policy import Ability, Policy
from sparring.simulated.chance import Chance
from sparring_plugins.networks.assembly import assembled, limits_of, parts_of
from sparring_plugins.networks.drawing import drawn
from sparring_plugins.networks.reading import Reading, read_description
from sparring_plugins.networks.written import tensors_document, tensors_of

if TYPE_CHECKING:
    from torch import Tensor, nn

    from sparring_plugins.networks.parts import Parts

__all__ = ["NetworkPolicy"]

Array = NDArray[Any]


@dataclass(frozen=True, eq=False)
class NetworkPolicy(Policy):
    """A network that acts in simulated games, or an adversary that proposes changes of what a victim sees or does.

    Its memory is the state of a recurrent network, [batch, width], or None. An adversary gives changes between -1
    and 1, in units of the budget, and sees what its victim's network sees; one number for each that the victim sees,
    unless its description says how many `proposals` there are.

    Raises:
        RequestError: tensors and description do not fit.
    """

    description: Mapping[str, Any]
    """As files have it."""
    tensors: Mapping[str, Array]
    """By name, as files have them."""
    action_limits: tuple[Array, Array] | None = None
    """Least and greatest action of the game it acts in, [*action]; needed where actions are clipped or rescaled."""
    without: bool = False
    """Whether its own normalisation is left out, because it is handed normalised observations."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "tensors", {name: frozen(array) for name, array in self.tensors.items()})
        assert self._parts is not None  # built now, so that what does not fit is told when it is loaded
        mean = None if self.reading.normaliser is None else self.reading.normaliser.mean
        if mean is not None and mean.shape != self.observation:
            raise RequestError(
                f"{self.name}: normalises {list(mean.shape)}, its network takes {list(self.observation)}"
            )
        proposals = int(self.description.get("proposals", np.prod(self.observation)))
        if self.reading.gives == "direction" and self.outputs_count != proposals:
            raise RequestError(
                f"{self.name}: an adversary with {self.outputs_count} outputs for {list(self.observation)}"
            )
        if self.reading.gives == "mean" and self.reading.sampled and self.deviation is None:
            raise RequestError(f"{self.name}: draws its actions, and the tensor 'policy.log_std' is missing")

    # ---- what it is ----------------------------------------------------------------------------------------------

    @property
    def name(self) -> str:
        """What its description calls it."""
        return str(self.description.get("name", "network"))

    @cached_property
    def reading(self) -> Reading:
        """Its description, understood."""
        return read_description(self.description, self.tensors, self.name)

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """A memoryless network can be traced; one that draws nothing is deterministic."""
        found = {Ability.DIFFERENTIABLE}
        found |= set() if self.reading.sampled else {Ability.DETERMINISTIC}
        found |= {Ability.RECURRENT} if self.recurrent else {Ability.MODULE}
        found |= {Ability.ACTION_VALUES} if self.reading.gives == "values" else set()
        found |= {Ability.CRITIC} if self.critics and not self.recurrent else set()
        return frozenset(found)

    @property
    def recurrent(self) -> bool:
        """Whether it carries a state."""
        return self._parts.recurrent

    @cached_property
    def observation(self) -> tuple[int, ...]:
        """Shape of one observation."""
        told = self.reading.architecture
        if "input" in told:
            return tuple(int(size) for size in told["input"])
        return (int(told["in"] if "in" in told else told["sizes"][0]),)

    @cached_property
    def outputs_count(self) -> int:
        """How many numbers the network gives."""
        told = self.reading.architecture
        return int(told["out"] if "out" in told else (told["sizes"] if "sizes" in told else told["head"])[-1])

    @cached_property
    def deviation(self) -> Array | None:
        """Standard deviation of a Gaussian policy, [outputs]."""
        spread = self.tensors.get("policy.log_std")
        return None if spread is None else np.exp(spread)

    # ---- acting --------------------------------------------------------------------------------------------------

    def begin(self, batch: int) -> Array | None:
        """The state in which episodes begin: zeros."""
        return np.zeros((batch, self._parts.width), dtype=np.float32) if self.recurrent else None

    def renew(self, memory: Array | None, where: NDArray[np.bool_]) -> Array | None:
        """Memory in which the marked episodes begin anew; the memory given stays as it is."""
        return None if memory is None else np.where(where[:, None], np.float32(0), memory)

    def act(self, observation: NDArray[np.generic], memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Actions [batch, *action], or an adversary's changes, [batch, *observation] or [batch, proposals]."""
        outputs, after = self._ready.run(self._seen(observation), memory)
        return self._action(outputs, rng), after

    def action_values(self, observation: NDArray[np.generic], memory: Any) -> NDArray[np.float64]:
        """`Q(s, .)`, [batch, actions].

        Raises:
            RefusedError: the network gives no action values.
        """
        if self.reading.gives != "values":
            raise RefusedError(f"{self.name}: gives {self.reading.gives}, no action values")
        return self._ready.run(self._seen(observation), memory)[0].astype(np.float64)

    def normalised(self, observation: NDArray[np.generic]) -> Array:
        """Observations as the network sees them, float32."""
        normaliser = None if self.without else self.reading.normaliser
        if normaliser is None:
            return np.ascontiguousarray(observation, dtype=np.float32)
        return normaliser(observation)

    def observed(self, seen: NDArray[np.generic]) -> Array:
        """Observations that it normalises to `seen`, short of rounding and of the clip."""
        normaliser = None if self.without else self.reading.normaliser
        return np.asarray(seen) if normaliser is None else normaliser.undone(seen)

    def inner(self) -> NetworkPolicy:
        """The same network for observations that are normalised already."""
        return self if self.without else replace(self, without=True)

    def greedy(self) -> NetworkPolicy:
        """The same network taking its mean, or its greatest output, where it would draw."""
        return self._acting("greedy" if self.reading.gives == "logits" else "mean") if self.reading.sampled else self

    def sampled(self) -> NetworkPolicy:
        """The same network drawing its actions.

        Raises:
            RefusedError: its outputs are no distribution.
        """
        if self.reading.gives not in ("mean", "logits"):
            raise RefusedError(f"{self.name}: gives {self.reading.gives}, there is nothing to draw")
        return self if self.reading.sampled else self._acting("sample")

    # ---- what attackers and certificates work on -----------------------------------------------------------------

    def outputs(self, observation: Tensor, memory: Any) -> Tensor:
        """What the network gives before anything is drawn or clipped, [batch, outputs], differentiable.

        Means, actions, logits, values or changes; float32.
        """
        return self._ready.outputs(observation, memory)

    def module(self) -> nn.Module:
        """A new module from observations to outputs, [batch, *observation] to [batch, outputs], without clipping.

        In float64 where it normalises observations, as the policy itself does that step; else in float32.

        Raises:
            RefusedError: the network carries a state.
        """
        if self.recurrent:
            raise RefusedError(f"{self.name}: is recurrent, an observation alone decides nothing; use recurrent_module")
        return self._ready.module()

    def recurrent_module(self) -> nn.Module:
        """A new module of one step, `(observation, state) -> (outputs, next state)`.

        Raises:
            RefusedError: the network carries no state.
        """
        if not self.recurrent:
            raise RefusedError(f"{self.name}: carries no state; use module")
        return self._ready.step()

    def first_state(self) -> Tensor:
        """The state in which every episode starts, [width]."""
        return self._parts.first_state()

    @property
    def critics(self) -> tuple[str, ...]:
        """Which value functions its file holds: those of training, `Q(s, a)` before `V(s)`, then a robust `Q(s, a)`."""
        known = ("critic", "value", "robust_sarsa")
        return tuple(name for name in known if isinstance(self.description.get(name), Mapping))

    def network(self, part: str) -> nn.Module:
        """Another network of the same file, such as `value`, `critic` or `robust_sarsa`.

        Raises:
            RequestError: the description has none of that name.
        """
        told = self.description.get(part)
        if not isinstance(told, Mapping):
            raise RequestError(f"{self.name}: its file has no network {part!r}")
        return assembled(told, self.tensors, f"{part}.", self.name)

    def to_document(self) -> dict[str, Any]:
        """Description and tensors, bit for bit."""
        limits = None if self.action_limits is None else [part.tolist() for part in self.action_limits]
        return {
            "kind": "network", "description": dict(self.description), "tensors": tensors_document(self.tensors),
            "action_limits": limits, "without_normalisation": self.without,
        }  # fmt: skip

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> NetworkPolicy:
        """The policy of what `to_document` gave.

        Raises:
            RequestError: it is no such document.
        """
        try:
            limits = document["action_limits"]
            bounds = None if limits is None else (np.asarray(limits[0]), np.asarray(limits[1]))
            tensors = tensors_of(document["tensors"])
            return cls(dict(document["description"]), tensors, bounds, bool(document["without_normalisation"]))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            raise RequestError(f"network: not a policy's document: {type(error).__name__}: {error}") from error

    def __getstate__(self) -> dict[str, Any]:
        """What it is made of; modules are built again where a pickle arrives."""
        return {name: self.__dict__[name] for name in self.__dataclass_fields__}

    # ---- inside --------------------------------------------------------------------------------------------------

    @cached_property
    def _parts(self) -> Parts:
        return parts_of(self.reading, self.tensors, self.action_limits, self.name, normalising=not self.without)

    @property
    def _ready(self) -> Parts:
        if self.reading.rescaled:
            limits_of(self.action_limits, self.name)
        return self._parts

    def _acting(self, acts: str) -> NetworkPolicy:
        distribution = {**self.description["action_distribution"], "acts": acts}
        return replace(self, description={**self.description, "action_distribution": distribution})

    def _seen(self, observation: NDArray[np.generic]) -> Array:
        if observation.shape[1:] != self.observation:
            raise RequestError(
                f"{self.name}: observations of shape {list(observation.shape[1:])}, takes {list(self.observation)}"
            )
        return self.normalised(observation)

    def _action(self, outputs: Array, rng: Chance) -> Array:
        if self.reading.gives in ("logits", "values"):
            return drawn(outputs, rng) if self.reading.sampled else outputs.argmax(axis=1)
        if self.reading.sampled and self.deviation is not None:
            outputs = outputs + self.deviation * rng.standard_normal(outputs.shape)
        if self.reading.gives == "direction":
            return outputs if "proposals" in self.description else outputs.reshape(-1, *self.observation)
        if self.reading.clipped:
            low, high = limits_of(self.action_limits, self.name)
            return np.asarray(np.minimum(np.maximum(outputs, low), high))
        return outputs
