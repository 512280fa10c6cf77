"""The contract of an attack game: what solvers and oracles can do with it, on every form.

An attack game is a game with what the attacker may touch and the budget. It is zero-sum: every value
is the victim's return, the victim raises it and the attacker lowers it. A solver written against these
operations runs on a matrix, a poker tree or a robot, because each form supplies them in its own way;
what a form cannot do it declares in `can` and refuses by name.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from sparring.access import ChargedAccess, OpponentAccess
from sparring.errors import RefusedError
from sparring.exploitability import Estimate, Interval

if TYPE_CHECKING:
    from sparring.bounds import BoundBackend
    from sparring.certificate import Certificate
    from sparring.game import Game
    from sparring.journal import Journal
    from sparring.policy import Policy

__all__ = ["AttackGame", "Capabilities", "Effort", "LearnerState", "Operation", "Optimum", "Side", "StepInfo"]


class Side(StrEnum):
    """Who plays: the victim maximises its return, the attacker minimises it."""

    VICTIM = "victim"
    ATTACKER = "attacker"

    @property
    def other(self) -> Side:
        """The opposing side."""
        return Side.ATTACKER if self is Side.VICTIM else Side.VICTIM


class Operation(StrEnum):
    """What a solver, an oracle or a metric may need of an attack game; declared in `needs`, checked by the core."""

    STEP_VICTIM = "step:victim"
    STEP_ATTACKER = "step:attacker"
    RESPOND_VICTIM = "respond:victim"
    """A best response of the victim, exact or trained."""
    RESPOND_ATTACKER = "respond:attacker"
    EXACT_ATTACKER = "exact-response:attacker"
    """The attacker's best response itself, computed and not trained."""
    RESPOND_MIXTURE = "respond:mixture"
    """Responses of both sides to mixtures drawn once an episode."""
    EXACT_VALUE = "exact-value"
    """Values that are computed and not sampled."""
    OPTIMUM = "optimum"
    """The least exploitability of any victim."""


@dataclass(frozen=True)
class Effort:
    """How much work a trained response may take; exact forms ignore it."""

    steps: int | None = None
    """Simulator steps."""
    seconds: float | None = None


@dataclass(frozen=True)
class StepInfo:
    """What one update cost and what it saw."""

    steps: int
    """Simulator steps on sampled forms, passes over the game's arrays on exact ones."""
    gradient_norm: float | None = None
    """Euclidean norm of the gradient before projection, where there is one."""
    metrics: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Capabilities:
    """What an attack game declares that it can do; `why` holds a reason for each thing it cannot."""

    exact_value: bool
    response: frozenset[Side]
    """Sides that have a best response at all, exact or trained."""
    exact_response: frozenset[Side]
    mixture_response: frozenset[Side]
    """Sides that can respond to a mixture drawn once an episode."""
    step: frozenset[Side]
    average: Literal["realisation-plan", "episode-mixture"]
    """What `mix` gives."""
    scores_average: bool
    """Whether `exploitability` of what `mix` gives is as good as that of a single policy."""
    known_optimum: bool
    """Whether `min_nu Expl(nu)` can be computed."""
    why: Mapping[str, str] = field(default_factory=dict)
    """Reason by operation, for example `{"respond:victim": "..."}`."""

    def offers(self, operation: Operation) -> bool:
        """Whether an operation is among what this declares."""
        return {
            Operation.STEP_VICTIM: Side.VICTIM in self.step,
            Operation.STEP_ATTACKER: Side.ATTACKER in self.step,
            Operation.RESPOND_VICTIM: Side.VICTIM in self.response,
            Operation.RESPOND_ATTACKER: Side.ATTACKER in self.response,
            Operation.EXACT_ATTACKER: Side.ATTACKER in self.exact_response,
            Operation.RESPOND_MIXTURE: frozenset(Side) <= self.mixture_response,
            Operation.EXACT_VALUE: self.exact_value,
            Operation.OPTIMUM: self.known_optimum,
        }[operation]


@dataclass(frozen=True, eq=False)
class LearnerState:
    """One side's learner. It owns everything it needs to go on, its optimiser included.

    Exact forms keep `parameters` alone; sampled forms subclass it. States are never changed in place
    by exact forms, so they can be kept and compared.
    """

    side: Side
    parameters: Any
    updates: int = 0
    learner: str = "direct"


@dataclass(frozen=True)
class Optimum:
    """The most robust victim, where it can be computed."""

    exploitability: float
    policy: Policy
    method: str


class AttackGame(ABC):
    """A game, what the attacker may touch, and its budget. Made by `sparring.attack`."""

    game: Game
    charged: tuple[ChargedAccess, ...]
    victim_player: int | None

    @property
    @abstractmethod
    def can(self) -> Capabilities:
        """What this attack game declares that it can do."""

    @abstractmethod
    def start(self, side: Side, seed: int, learner: str = "direct") -> LearnerState:
        """Start a learner for one side.

        Args:
            side: who learns.
            seed: where its randomness starts; exact forms start from a random policy (algorithms 1 and 2).
            learner: which learner, by spec; `direct` is the form's own (true gradients on exact forms,
                the form's default trainer elsewhere).
        """

    @abstractmethod
    def freeze(self, state: LearnerState) -> Policy:
        """Take a snapshot of a learner as a policy that later updates leave alone."""

    @abstractmethod
    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[LearnerState, StepInfo]:
        """Update one side's learner once against a fixed policy of the other.

        On exact forms: a gradient step with projection onto the policies (rethinking, algorithm 1 line 4). Elsewhere
        one update of the learner.

        Args:
            state: left as it is, so that an interrupted step loses nothing.
            against: a policy or mixture of the other side.
            rate: step size. That of a gradient in policies on exact forms; elsewhere, where a fitting one depends on
                the learner, how many times the learner's own, so that ratios of rates mean the same everywhere.
            rng: all randomness of the update; learners keep none of their own between updates.
        """

    @abstractmethod
    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator,
    ) -> tuple[LearnerState, Estimate]:
        """Find a best response of one side to a fixed policy or mixture of the other.

        Args:
            side: who responds.
            against: a policy or a mixture drawn once an episode.
            warm: a learner to start from; a hint, which exact forms ignore.
            effort: how much work training may take; exact forms ignore it.
            rng: all randomness of the training.

        Returns:
            The responding learner and the victim's return it reaches.
        """

    @abstractmethod
    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> Policy:
        """Average policies as this form does: `(1 - weight) * average + weight * policy`.

        `average` is None at the start, and `weight` is then ignored.
        """

    @abstractmethod
    def measure(
        self, victim: Policy, attacker: Policy | None, rng: np.random.Generator, episodes: int | None = None
    ) -> Estimate:
        """The victim's return when `attacker` acts through the budget; None for no attack.

        This is the one door at which the budget is charged: the policy given is a proposal.

        Args:
            victim: a policy or a mixture.
            attacker: a policy of this attack game's attacker, a mixture of them, or None.
            rng: randomness of sampled forms.
            episodes: how many episodes to average on sampled forms.
        """

    def draw(self, side: Side, rng: np.random.Generator) -> Policy:
        """A policy of one side drawn at random, within its legal choices.

        Raises:
            RefusedError: this form has no way to draw one.
        """
        raise RefusedError(f"draw on {self.game.spec}: the {self.game.form} form draws no random policies")

    @abstractmethod
    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """One-sided exploitability of a victim (rethinking, definition 4.1)."""

    @abstractmethod
    def save_state(self, state: LearnerState, path: Path) -> None:
        """Write a learner so that it resumes exactly; the file is whole or absent."""

    @abstractmethod
    def load_state(self, path: Path) -> LearnerState:
        """Read a learner that `save_state` wrote."""

    @abstractmethod
    def check_policy(self, policy: Policy, side: Side) -> Policy:
        """Return `policy` when it fits that side of this attack game.

        Raises:
            RequestError: it is for another game, seat or form; the line says which.
        """

    @property
    def has_nominal(self) -> bool:
        """Whether the unattacked game is defined: the other seat, if any, has a benign policy."""
        accesses = [part.access for part in self.charged]
        return not any(isinstance(access, OpponentAccess) and access.benign is None for access in accesses)

    @abstractmethod
    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        """Make a policy of one side again from what its `to_document` gave, mixtures included, bit for bit."""

    def certify(
        self, victim: Policy, backend: BoundBackend, *, episodes: int | None = None, seed: int = 0
    ) -> Certificate:
        """Prove what a bound backend can prove of a victim's return under this attack.

        Raises:
            RefusedError: this form has no certificate.
        """
        raise RefusedError(f"bounds {backend.name} on {self.game.spec}: the {self.game.form} form has no certificate")

    def kept_in(self, journal: Journal) -> AttackGame:
        """The same attack game, whose episodes are kept in a journal as they finish, and none is played twice.

        Raises:
            RefusedError: this form plays no episodes, or cannot keep them.
        """
        raise RefusedError(f"resume on {self.game.spec}: the {self.game.form} form has no episodes to go on from")

    def over(self, victim: Policy, attacker: Policy | None, seeds: Sequence[int]) -> Estimate:
        """The victim's return over a list of seeds and nothing else: an exact value, `measure` without chance.

        Raises:
            RefusedError: this form has no seeds.
        """
        raise RefusedError(f"values over seeds on {self.game.spec}: the {self.game.form} form has no episodes")

    def optimum(self) -> Optimum | None:
        """The most robust victim where it can be computed, else None."""
        return None

    def least_return(self) -> float | None:
        """A number that no return of the victim is below, where the game has one."""
        return None

    def value(self, victim: Policy, attacker: Policy | None = None, *, seed: int = 0) -> Estimate:
        """The victim's return against `attacker` acting through the budget (None: no attack)."""
        return self.measure(victim, attacker, np.random.default_rng(seed))

    def best_response(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Policy:
        """The attacker that `respond` finds against this victim."""
        rng = np.random.default_rng(seed)
        state, _ = self.respond(Side.ATTACKER, victim, effort=effort, rng=rng)
        return self.freeze(state)

    def lent(self) -> Self:
        """A copy to hand to a plugin: whatever it puts in place of its attributes, this one stays as it is."""
        return copy.copy(self)

    @property
    def steps_made(self) -> int | None:
        """Simulator steps that it has really made; None where there is no simulator."""
        return None

    def require(self, operation: str, able: bool, who: str = "") -> None:
        """Refuse an operation by name when the form declares that it cannot do it.

        Args:
            operation: such as `respond:victim`.
            able: whether it can.
            who: whoever asks, for the message.

        Raises:
            RefusedError: `able` is false.
        """
        if not able:
            threats = " with ".join(part.threat for part in self.charged) or "no attack"
            plain = operation.replace("exact-response:", "respond:")
            reason = self.can.why.get(operation, self.can.why.get(plain, f"the {self.game.form} form does not have it"))
            asked = f"{who} needs {operation}" if who else operation
            raise RefusedError(f"{asked} on {self.game.spec} under {threats}: {reason}")
