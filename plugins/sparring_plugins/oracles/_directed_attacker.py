"""An attacker of two parts: a director says where the victim's outputs are to go, gradients find the way there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from sparring.simulated.attackers import AttackView
from sparring.simulated.chance import Chance
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.oracles._gradient_attacker import GradientAttacker

__all__ = ["DirectedAttacker"]


@dataclass(frozen=True)
class DirectedAttacker(GradientAttacker):
    """Climbs, at every step, in the direction of the victim's outputs that a network of its own chooses."""

    director: NetworkPolicy | None = None
    """Sees what the victim would see, and gives directions from -1 to 1, [batch, outputs of the victim]."""

    def begin(self, batch: int) -> Any:
        """The director's memory of episodes that are about to start."""
        return self._leader.begin(batch)

    def renew(self, memory: Any, where: NDArray[np.bool_]) -> Any:
        """The director's memory in which the marked episodes begin anew."""
        return self._leader.renew(memory, where)

    def propose(self, view: AttackView, memory: Any, rng: Chance) -> tuple[Any, Any]:
        """Ask the director, and climb."""
        directions, after = self._leader.act(view.seen, memory, rng)
        return self.towards(directions, view, rng), after

    def towards(self, directions: NDArray[Any], view: AttackView, rng: Chance) -> NDArray[np.float64]:
        """Proposals [batch, width] that move the outputs of the victim in these directions, [batch, outputs]."""
        from sparring_plugins.oracles._ascent import ascend
        from sparring_plugins.oracles._objectives import directed

        return ascend(self, view, rng, directed(view, directions)).proposals

    @property
    def _leader(self) -> NetworkPolicy:
        assert self.director is not None  # the oracle has trained it
        return self.director

    def to_document(self) -> dict[str, Any]:
        """All settings, and the director's numbers."""
        told = {field.name: getattr(self, field.name) for field in fields(self) if field.name != "director"}
        return {"kind": "directed-attacker", **told, "director": self._leader.to_document()}

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """The attacker of what `to_document` gave, bit for bit."""
        return super().of_document({**document, "director": NetworkPolicy.of_document(document["director"])})
