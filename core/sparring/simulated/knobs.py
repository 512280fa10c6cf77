"""What may be changed of the dynamics of a world: forces that push it, parameters that bend it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from sparring.budgets import BudgetKind

__all__ = ["Knob", "Tunable"]


@dataclass(frozen=True)
class Knob:
    """One thing to turn; where nobody turns it, it stands at 0."""

    kind: str
    """What it is, such as `force` or `mass`."""
    target: str
    """The body, joint or geom that it belongs to."""
    budget: BudgetKind
    """What turning it is paid with."""
    parts: tuple[str, ...] = ("",)
    """The numbers it takes, by name: the axes of a force, in newtons; one relative change of a parameter."""
    held: bool = False
    """Whether it is set before the first step and kept for the episode; else it is set anew at every step."""
    usual: bool = True
    """Whether it belongs to those that are turned where nobody names any."""

    @property
    def name(self) -> str:
        """Such as `force torso`; no two knobs of a game share it."""
        return f"{self.kind} {self.target}"

    @property
    def width(self) -> int:
        """How many numbers it takes."""
        return len(self.parts)


@runtime_checkable
class Tunable(Protocol):
    """What a world of a game that has knobs offers besides the contract of a world."""

    def turn(self, knobs: Sequence[Knob], values: NDArray[Any], where: NDArray[np.bool_]) -> None:
        """Turn knobs in the episodes that `where` [batch] marks, before the step to come.

        Whatever has been turned stays so until it is turned again or the episode ends; then everything is as the game
        has it, bit for bit. It belongs to what `World.save` copies.

        Args:
            knobs: of this game.
            values: what they are turned to, [batch, width of all together]; rows of other episodes are not looked at.
            where: episodes; those that have finished are left alone.
        """
        ...
