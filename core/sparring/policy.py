"""Policies, and what they declare that can be done with them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, article
from sparring.forms import Form

__all__ = ["Ability", "Mixture", "Policy", "checked_probabilities", "numbers", "payload"]


class Ability(StrEnum):
    """What can be done with a policy; declared by it, never guessed."""

    PROBABILITIES = "probabilities"
    """Gives the probability of every action."""
    DETERMINISTIC = "deterministic"
    """Gives the same action for the same input, always."""
    DIFFERENTIABLE = "differentiable"
    """Gives gradients of its output with respect to its input."""
    RECURRENT = "recurrent"
    """Carries a state through an episode."""
    ACTION_VALUES = "action-values"
    """Gives a value for every action."""
    CRITIC = "critic"
    """Brings value functions that it was trained with."""
    MODULE = "module"
    """Is a torch module that bound backends can trace."""


class Policy(ABC):
    """Something that acts in one seat of a game of one form."""

    @property
    @abstractmethod
    def form(self) -> Form:
        """The form of game it acts in."""

    @property
    @abstractmethod
    def abilities(self) -> frozenset[Ability]:
        """What this policy declares."""

    @abstractmethod
    def to_document(self) -> dict[str, Any]:
        """Everything needed to load this policy again, as JSON values."""


@dataclass(frozen=True)
class Mixture(Policy):
    """A mixture drawn once an episode: one of the policies acts from the first step to the last."""

    policies: tuple[Policy, ...]
    weights: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.policies) != len(self.weights) or not self.policies:
            raise RequestError(f"mixture: {len(self.policies)} policies with {len(self.weights)} weights")
        checked_probabilities(np.asarray([self.weights]), "mixture weights")

    @property
    def abilities(self) -> frozenset[Ability]:
        """Nothing: a mixture over episodes has no per-step probabilities."""
        return frozenset()

    @property
    def form(self) -> Form:
        """The form of the mixed policies."""
        return self.policies[0].form

    def to_document(self) -> dict[str, Any]:
        """The mixed policies with their weights."""
        parts = [policy.to_document() for policy in self.policies]
        return {"kind": "mixture", "weights": list(self.weights), "policies": parts}


def checked_probabilities(
    rows: NDArray[np.float64], where: str, names: Sequence[str] | Mapping[int, str] | None = None
) -> NDArray[np.float64]:
    """Return `rows` [n, actions] once each is seen to be a distribution.

    Sums are made one; those within 1e-12 are left as they are, so that a saved policy loads bit for bit.
    The array given back is new and read-only.

    Raises:
        RequestError: not numbers, negative, or a sum more than 1e-6 away from one; names the first row.
    """
    table = np.asarray(rows, dtype=np.float64)
    finite = np.isfinite(table).all(axis=-1)
    total = np.where(finite, np.where(np.isfinite(table), table, 0.0).sum(axis=-1), np.nan)
    faults = (
        (~finite, "has a probability that is not a number"),
        (finite & (table < 0).any(axis=-1), "has a negative probability"),
        (finite & (np.abs(total - 1.0) > 1e-6), "does not sum to one"),
    )
    for bad, fault in faults:
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            name = f"row {row}" if names is None else repr(names[row])
            raise RequestError(f"{where}: {name} {fault}: {table[row].tolist()}")
    checked = np.asarray(table / np.where(np.abs(total - 1.0) <= 1e-12, 1.0, total)[..., None])
    checked.flags.writeable = False  # what was checked stays so: a threat or an oracle is handed these arrays
    return checked


def payload(data: object, kind: str, player: int | None, game: str) -> object:
    """What a policy document holds, once it is seen to be of that kind and seat; anything else is returned as it is.

    Raises:
        RequestError: the document is for another form or seat.
    """
    if not isinstance(data, Mapping) or "kind" not in data or "probabilities" not in data:
        return data
    if data["kind"] != kind:
        raise RequestError(f"policy for {game}: {article(str(data['kind']))} policy, expected {article(kind)} one")
    seat = data.get("player")
    if seat is not None and player is not None and seat != player:
        raise RequestError(f"policy for {game}: made for seat {seat}, asked for seat {player}")
    made_for = data.get("game")
    if made_for is not None and made_for != game:
        raise RequestError(f"policy for {game}: made for {made_for}")
    return data["probabilities"]


def numbers(data: object, kind: str, player: int | None, game: str) -> NDArray[np.float64]:
    """The array of numbers in a policy document, or the array itself.

    Raises:
        RequestError: it is not an array of numbers.
    """
    try:
        return np.asarray(payload(data, kind, player, game), dtype=np.float64)
    except (TypeError, ValueError):
        found = type(data).__name__
        raise RequestError(f"policy for {game}: expected an array of probabilities, got {found}") from None
