"""Attackers that climb a victim's gradients, and the settings they share; torch is imported when they propose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, ClassVar, Literal, Self

from sparring.forms import Form
from sparring.policy import Ability, Policy
from sparring.simulated.attackers import AttackView
from sparring.simulated.chance import Chance

__all__ = ["GradientAttacker", "Objective"]

Objective = Literal["departure", "divergence", "critic", "min-q", "learned-critic", "direction"]
"""What is raised: the distance from the nominal action (of discrete actions, its improbability), the KL divergence
from the nominal distribution, the critic's displeasure, that of the victim's own action values, that of a critic
which was learned of the victim, or how far the outputs go in a direction that somebody else chooses."""


@dataclass(frozen=True)
class GradientAttacker(Policy):
    """Looks for the change of what the victim sees that raises an objective most, at every step anew."""

    reads_victim: ClassVar[bool] = True

    objective: Objective
    steps: int
    """Steps uphill from each start."""
    rate: float
    """Length of a step, in units of the budget."""
    restarts: int = 1
    """Starts, of which the one that ends highest counts."""
    momentum: float = 0.0
    """Part of the last direction that is kept."""
    start: Literal["centre", "random"] = "random"
    beta: float | None = None
    """Inverse temperature of Langevin noise in the gradient, 0 for one that fits it; None for no noise."""
    network: str = ""
    """Which network of the victim's file judges, for the critic's objective."""

    @property
    def form(self) -> Form:
        """Simulated games."""
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        """None."""
        return frozenset()

    def begin(self, batch: int) -> None:
        """It remembers nothing; the victim's memory is shown to it."""

    def propose(self, view: AttackView, memory: Any, rng: Chance) -> tuple[Any, Any]:
        """Climb."""
        from sparring_plugins.oracles._ascent import ascend

        return ascend(self, view, rng).proposals, memory

    def to_document(self) -> dict[str, Any]:
        """All settings."""
        return {"kind": "gradient-attacker", **asdict(self)}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The attacker of what `to_document` gave."""
        return cls(**{field.name: document[field.name] for field in fields(cls)})
