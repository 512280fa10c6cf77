"""What an attacker may touch, as a declaration that the core charges against the budget.

A threat model never sees the budget. It declares channels with the alternatives the attacker has in
each, and what happens where the attacker does nothing. The attack game of each form turns that
declaration and a budget into the set of attackers, so that nothing else can overspend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from sparring.budgets import Budget
from sparring.policy import Policy
from sparring.projection import Norm
from sparring.timing import Timing

__all__ = [
    "Access",
    "ActionAccess",
    "Ball",
    "ChargedAccess",
    "Coin",
    "DynamicsAccess",
    "InputAccess",
    "ObservationAccess",
    "OpponentAccess",
]

Floats = NDArray[np.float64]
ALWAYS = Timing()


class Coin(StrEnum):
    """When a mixing budget decides who is in control."""

    DECISION = "decision"
    """Anew at every decision point (rethinking, eq 3.2)."""
    EPISODE = "episode"
    """Once, before the first step; the victim is not told."""


@dataclass(frozen=True, eq=False)
class Ball:
    """The shape of a bounded change of a vector; its radius is the budget."""

    norm: Norm = "inf"
    scale: Floats | None = None
    """Size of one unit of budget in each feature, [features]; None for 1 everywhere."""
    low: Floats | None = None
    """Least legal value of each feature after the change, [features]; None for no limit."""
    high: Floats | None = None
    """Greatest legal value of each feature after the change, [features]; None for no limit."""
    space: Literal["raw", "normalised"] = "raw"
    """Whether the change is measured before or after the policy's own normalisation."""


@dataclass(frozen=True, eq=False)
class OpponentAccess:
    """The attacker plays the other seat, wholly or in part, in place of a benign policy."""

    benign: Policy | None
    """What the other seat does where the attacker has no control; None where it always has."""
    coin: Coin = Coin.DECISION
    share: Floats | None = None
    """Part of the budget available at each decision point of the other seat, [points], each in [0, 1].

    Points are states (Markov) or information sets (extensive-form); None for the whole everywhere.
    """


@dataclass(frozen=True, eq=False)
class ObservationAccess:
    """The attacker changes what the victim sees; the world moves on by what is true."""

    size: Floats | None = None
    """Tabular: size of showing observation `o` in state `s`, [states, observations]; inf where illegal.

    Under a budget charged by size every observation no larger is available; under a mixing budget every
    finite one is, with that probability. The true observation is always available.
    """
    ball: Ball | None = None
    """Vector observations: the shape of the change; under a mixing budget its radius is 1, and `scale` its size."""
    timing: Timing = ALWAYS
    """Vector observations: on which steps."""


@dataclass(frozen=True, eq=False)
class ActionAccess:
    """The attacker changes what the victim does: replaces it (PR-MDP) or mixes it (NR-MDP)."""

    mode: Literal["replace", "mix"] = "replace"
    allowed: NDArray[np.bool_] | None = None
    """Tabular: actions the attacker may force in each state, [states, actions]; None for all."""
    ball: Ball | None = None
    """Vector actions: the shape of an added change; None for any legal action."""


@dataclass(frozen=True, eq=False)
class DynamicsAccess:
    """The attacker changes how the world moves."""

    transition: Floats | None = None
    """Tabular: alternative transition tables, [alternatives, states, actions, actions1, states]."""
    size: Floats | None = None
    """Tabular: size of each alternative in each state, [states, alternatives]; None for 0 everywhere."""
    bodies: tuple[str, ...] = ()
    """Simulated: named bodies that forces act on."""
    parameters: tuple[str, ...] = ()
    """Simulated: named parameters that may change, such as `mass torso`; forces and parameters need a threat each."""
    ball: Ball | None = None
    """Simulated: the shape of each body's force, in newtons, or of each parameter's relative change."""


@dataclass(frozen=True, eq=False)
class InputAccess:
    """The attacker changes the input of a one-step decision, such as an image given to a classifier."""

    ball: Ball


Access = OpponentAccess | ObservationAccess | ActionAccess | DynamicsAccess | InputAccess


@dataclass(frozen=True, eq=False)
class ChargedAccess:
    """What may be touched, with the budget it is charged against and the threat that asked for it."""

    access: Access
    budget: Budget
    threat: str
    options: Mapping[str, Any] = field(default_factory=dict)
    """The threat model's options, for the document."""
    benign: str | None = None
    """Where the benign policy came from, for the document."""
    announced: str | None = None
    """`distribution:name` of the threat model, for the document; None where Python code made it."""
    nested: bool = True
    """Whether a larger budget allows every attacker that a smaller one does."""
