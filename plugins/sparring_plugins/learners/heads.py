"""What the actor's outputs mean, a Gaussian or a choice: draws, log-probabilities, and slopes in closed form."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from sparring_plugins.networks.drawing import drawn

__all__ = ["Categorical", "Gaussian", "Head", "Scored"]

Array = NDArray[Any]
LOG_STD = "policy.log_std"
HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


class Scored(NamedTuple):
    """Log-probabilities of a minibatch, and what their slopes are made of."""

    log_probabilities: Tensor
    """[batch]."""
    kept: tuple[Tensor, ...]


class Head(Protocol):
    """A distribution of actions, given the actor's outputs [batch, outputs]."""

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Weights of its own."""
        ...

    def initial(self) -> Mapping[str, Array]:
        """Their first values."""
        ...

    def noise(self, rng: np.random.Generator, steps: int, batch: int) -> Array:
        """The chance of so many steps, [steps, batch, ...]."""
        ...

    def draw(self, at: Mapping[str, Tensor], outputs: Array, noise: Array) -> Array:
        """One draw for each row, from its chance."""
        ...

    def score(self, at: Mapping[str, Tensor], outputs: Tensor, actions: Tensor) -> Scored:
        """Log-probabilities of draws."""
        ...

    def slopes(self, scored: Scored, slope: Tensor, entropy_weight: float, into: Mapping[str, Tensor]) -> Tensor:
        """The chain rule.

        Args:
            scored: what `score` gave.
            slope: gradient of the loss in each log-probability, [batch].
            entropy_weight: minus the gradient of the loss in the mean entropy.
            into: where the gradients of its own weights are written.

        Returns:
            The gradient in the outputs, [batch, outputs].
        """
        ...

    def entropy(self, at: Mapping[str, Tensor], outputs: Tensor) -> float:
        """Mean entropy, in nats."""
        ...


@dataclass(frozen=True)
class Gaussian:
    """Independent normal numbers around the outputs, of one deviation in all states."""

    count: int
    initial_log_std: float

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """Logarithms of the deviations."""
        return {LOG_STD: (self.count,)}

    def initial(self) -> Mapping[str, Array]:
        """All the same."""
        return {LOG_STD: np.full(self.count, self.initial_log_std)}

    def noise(self, rng: np.random.Generator, steps: int, batch: int) -> Array:
        """Normal numbers."""
        return rng.standard_normal((steps, batch, self.count), dtype=np.float32)

    def draw(self, at: Mapping[str, Tensor], outputs: Array, noise: Array) -> Array:
        """Mean and deviation times noise, [batch, outputs]."""
        found: Array = outputs + np.exp(at[LOG_STD].numpy()) * noise
        return found

    def score(self, at: Mapping[str, Tensor], outputs: Tensor, actions: Tensor) -> Scored:
        """`sum(-z^2 / 2 - log std) - const` with z the distance in deviations."""
        inverse = at[LOG_STD].neg().exp_()
        distance = (actions - outputs).mul_(inverse)
        square = distance * distance
        constant = at[LOG_STD].sum().add_(self.count * HALF_LOG_TAU)
        return Scored(square.sum(1).mul_(-0.5).sub_(constant), (distance, square, inverse))

    def slopes(self, scored: Scored, slope: Tensor, entropy_weight: float, into: Mapping[str, Tensor]) -> Tensor:
        """`z / std` for the mean, `z^2 - 1` for the log-deviation; entropy grows by 1 with each of the latter."""
        distance, square, inverse = scored.kept
        torch.mv(square.sub_(1.0).t(), slope, out=into[LOG_STD])
        if entropy_weight != 0.0:
            into[LOG_STD].sub_(entropy_weight)
        return distance.mul_(slope[:, None]).mul_(inverse)

    def entropy(self, at: Mapping[str, Tensor], outputs: Tensor) -> float:
        """The same in all states."""
        return float(at[LOG_STD].sum()) + self.count * (0.5 + HALF_LOG_TAU)


@dataclass(frozen=True)
class Categorical:
    """One of some choices, whose logits the outputs are."""

    shapes: Mapping[str, tuple[int, ...]]

    def initial(self) -> Mapping[str, Array]:
        """It has no weights."""
        return {}

    def noise(self, rng: np.random.Generator, steps: int, batch: int) -> Array:
        """Numbers from 0 up to 1."""
        return rng.random((steps, batch))

    def draw(self, at: Mapping[str, Tensor], outputs: Array, noise: Array) -> Array:
        """The choice at which the summed probabilities pass the number, [batch]."""
        return drawn(outputs, _Given(noise))

    def score(self, at: Mapping[str, Tensor], outputs: Tensor, actions: Tensor) -> Scored:
        """Logits less the logarithm of their summed exponentials."""
        logs = outputs.log_softmax(dim=1)
        chosen = actions[:, None]
        return Scored(logs.gather(1, chosen)[:, 0], (logs, chosen))

    def slopes(self, scored: Scored, slope: Tensor, entropy_weight: float, into: Mapping[str, Tensor]) -> Tensor:
        """`1 - p` at the choice and `-p` elsewhere; entropy H falls by `p (log p + H)`."""
        logs, chosen = scored.kept
        shares = logs.exp()
        found = shares * -slope[:, None]
        found.scatter_add_(1, chosen, slope[:, None])
        if entropy_weight != 0.0:
            surprise = (shares * logs).sum(1, keepdim=True)
            found.addcmul_(shares, logs - surprise, value=entropy_weight / len(slope))
        return found

    def entropy(self, at: Mapping[str, Tensor], outputs: Tensor) -> float:
        """Averaged over states."""
        logs = outputs.log_softmax(dim=1)
        return -float((logs.exp() * logs).sum(1).mean())


@dataclass(frozen=True)
class _Given:
    """Chance that is drawn already."""

    shares: Array

    def random(self, size: Any) -> Array:
        return self.shares

    def standard_normal(self, size: Any) -> Array:
        raise NotImplementedError("a choice is drawn from numbers between 0 and 1")
