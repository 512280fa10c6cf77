"""The attack budget: how much the attacker may do, as a value with a kind, a unit and a legal range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sparring.errors import RequestError

__all__ = [
    "FORCE_BOUND",
    "GRAPH_RADIUS",
    "KINDS",
    "LP_RADIUS",
    "MIXING_PROBABILITY",
    "RELATIVE_CHANGE",
    "Budget",
    "BudgetKind",
    "Charge",
]


class Charge(StrEnum):
    """How a budget is spent: as the probability of being in control, or as the size of each change."""

    MIX = "mix"
    """The attacker's choice replaces the benign one with probability `value` (rethinking, eq 3.2)."""
    SIZE = "size"
    """Every single change has a size of at most `value` (thesis, definition 6.2.2)."""


@dataclass(frozen=True)
class BudgetKind:
    """A kind of budget: its name, unit, legal range and the way it is charged.

    Raises:
        RequestError: a kind that is charged as a probability does not end at 1.
    """

    name: str
    unit: str
    charge: Charge
    high: float = math.inf
    whole: bool = False

    def __post_init__(self) -> None:
        if self.charge is Charge.MIX and self.high != 1:
            raise RequestError(f"budget kind {self.name}: charged as a probability, high is {self.high:g}, expected 1")

    @property
    def legal(self) -> str:
        """The legal range in words."""
        numbers = "a whole number" if self.whole else "a number"
        return f"{numbers} from 0" + ("" if math.isinf(self.high) else f" to {self.high:g}")

    def budget(self, value: float) -> Budget:
        """Make a budget of this kind.

        Raises:
            RequestError: the value is outside the legal range.
        """
        if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
            raise RequestError(f"budget {value!r}: a {self.name} is {self.legal} ({self.unit})")
        legal = math.isfinite(value) and 0 <= value <= self.high
        if not legal or (self.whole and value != int(value)):
            raise RequestError(f"budget {float(value):g}: a {self.name} is {self.legal} ({self.unit})")
        return Budget(self, float(value))


@dataclass(frozen=True)
class Budget:
    """How much the attacker may do; made by `BudgetKind.budget`, which checks the range."""

    kind: BudgetKind
    value: float

    def __post_init__(self) -> None:
        if not (math.isfinite(self.value) and 0 <= self.value <= self.kind.high):
            raise RequestError(f"budget {self.value:g}: a {self.kind.name} is {self.kind.legal} ({self.kind.unit})")

    @property
    def zero(self) -> bool:
        """Whether the attacker may do nothing at all."""
        return self.value == 0.0


MIXING_PROBABILITY = BudgetKind("mixing-probability", "probability", Charge.MIX, high=1.0)
GRAPH_RADIUS = BudgetKind("graph-radius", "steps in the neighbour graph", Charge.SIZE, whole=True)
LP_RADIUS = BudgetKind("lp-radius", "norm of the change", Charge.SIZE)
FORCE_BOUND = BudgetKind("force-bound", "newton", Charge.SIZE)
RELATIVE_CHANGE = BudgetKind("relative-change", "part of the nominal value", Charge.SIZE, high=0.99)
"""It ends before 1, since no mass may vanish."""
KINDS = {kind.name: kind for kind in (MIXING_PROBABILITY, GRAPH_RADIUS, LP_RADIUS, FORCE_BOUND, RELATIVE_CHANGE)}
