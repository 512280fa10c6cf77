"""Who attacks in a simulated game: what attackers are shown, and how their proposals are taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparring.acting import Acting
from sparring.errors import RequestError
from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated._protocols import follows
from sparring.simulated.chance import Chance
from sparring.simulated.channels import ActionChannel, Channel
from sparring.simulated.spaces import Box, Discrete, Space

__all__ = ["AttackView", "Proposing", "RandomAttacker", "proposal_space", "proposals_of"]

Array = NDArray[Any]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class AttackView:
    """What an attacker is shown of a batch of episodes, before it proposes."""

    observations: Array
    """What is true, [batch, *observation]."""
    seen: Array
    """What `victim` would see without attack, [batch, *observation]: normalised where the attack works after that."""
    victim: Policy
    """The victim as it acts on what it sees; white-box attackers read it by the abilities that it declares."""
    memory: Any
    """The victim's memory before this step, of its own making."""
    channels: tuple[Channel, ...]
    """What may be touched, in the order of the proposal."""
    action: Space
    """The victim's actions."""

    @property
    def width(self) -> int:
        """Numbers in a proposal."""
        return sum(channel.width for channel in self.channels)


@runtime_checkable
class Proposing(Protocol):
    """A policy that attacks by looking at an `AttackView`; others attack by acting on what the victim would see.

    What it proposes is in units of the budget, and the core makes of it what the budget allows.
    """

    @property
    def reads_victim(self) -> bool:
        """Whether it looks at the victim itself, which one that is still learning does not allow."""
        ...

    def begin(self, batch: int) -> Any:
        """Memory of `batch` episodes that are about to start."""
        ...

    def propose(self, view: AttackView, memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Proposals [batch, width], and the memory after them."""
        ...


@dataclass(frozen=True)
class RandomAttacker(Policy):
    """Looks at nothing: numbers from -1 to 1, drawn anew at every step, or their signs alone."""

    reads_victim: ClassVar[bool] = False

    noise: Literal["uniform", "sign"] = "uniform"

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """None."""
        return frozenset()

    def begin(self, batch: int) -> None:
        """It remembers nothing."""

    def propose(self, view: AttackView, memory: Any, rng: Chance) -> tuple[Array, Any]:
        """Draw."""
        drawn = rng.random((len(view.seen), view.width))
        drawn *= 2
        drawn -= 1
        return (np.where(drawn < 0, -1.0, 1.0) if self.noise == "sign" and not _choices(view) else drawn), memory

    def to_document(self) -> dict[str, Any]:
        """Which noise."""
        return {"kind": "random-attacker", "noise": self.noise}


def proposals_of(policy: Policy, view: AttackView, memory: Any, rng: Chance) -> tuple[Floats, Any]:
    """What an attacker proposes, [batch, width], and its memory afterwards.

    Raises:
        RequestError: proposals of another shape, or the policy cannot attack.
    """
    attacker: Any = policy
    if follows(policy, Proposing):
        given, after = attacker.propose(view, memory, rng)
    elif follows(policy, Acting):
        given, after = attacker.act(view.seen, memory, rng)
    else:
        raise RequestError(f"attacker: a policy of type {type(policy).__name__} proposes nothing")
    return as_proposals(given, view.channels, len(view.seen)), after


def as_proposals(given: Any, channels: Sequence[Channel], batch: int) -> Floats:
    """Proposals [batch, width] from an array of that many numbers, or of one choice, for each episode.

    Raises:
        RequestError: another number of them.
    """
    array = np.asarray(given)
    width = sum(channel.width for channel in channels)
    if array.shape == (batch,) and isinstance(proposal_space(channels), Discrete):
        if not ((array >= 0) & (array < width)).all():
            raise RequestError(f"attacker: proposes choices {array.tolist()}, from 0 to {width - 1} exist")
        return np.eye(width)[array.astype(np.int64)]
    if array.ndim < 1 or array.shape[0] != batch or array.size != batch * width:
        raise RequestError(
            f"attacker: proposes an array of shape {list(array.shape)}, expected {width} numbers for each of {batch} "
            "episodes"
        )
    return np.asarray(array.reshape(batch, width), dtype=np.float64)


def proposal_space(channels: Sequence[Channel]) -> Space:
    """What an attacker that acts chooses from: numbers from -1 to 1, or one of the victim's choices."""
    only = channels[0]
    if len(channels) == 1 and isinstance(only, ActionChannel) and isinstance(only.space, Discrete):
        return only.space
    width = sum(channel.width for channel in channels)
    return Box(-np.ones(width), np.ones(width), "float32")


def _choices(view: AttackView) -> bool:
    """Whether an action is picked by its greatest number, where signs alone would always pick the first."""
    return any(isinstance(channel, ActionChannel) and isinstance(channel.space, Discrete) for channel in view.channels)
