"""The attack game of the kit's world: the form's own, with a learner that needs no torch where none is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sparring.access import ChargedAccess
from sparring.attack_game import Side
from sparring.policy import Mixture, Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.contest import normalised
from sparring.simulated.learner import Learner
from sparring.simulated.learning import Learning
from sparring.testing.pilots import pilot_of
from sparring.testing.probing import Probing
from sparring.testing.steering import Steering

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["DriftDuel"]


class _Learning(Learning):
    """Trains by random search, so that solvers are seen at work in milliseconds."""

    @property
    def sides(self) -> frozenset[Side]:
        """As the form has it where a learner is installed: the kit brings its own."""
        return frozenset({Side.ATTACKER}) if normalised(self._channels) else frozenset(Side)

    def _made(self, spec: str) -> Learner:
        return Probing() if spec == "direct" else super()._made(spec)


class DriftDuel(SimulatedAttackGame):
    """The form's attack game with the kit's own learner."""

    def __init__(self, game: SimulatedGame, charged: Sequence[ChargedAccess]) -> None:
        super().__init__(game, charged)
        self.learning = _Learning(game, self.channels, self.workers, self._count)

    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        """The kit's own policies, or what the form restores."""
        kind = str(document["kind"])
        if kind == "mixture":
            parts = tuple(self.restore(part, side) for part in document["policies"])
            return Mixture(parts, tuple(document["weights"]))
        if kind == "kit-steering":
            return Steering.of_document(document)
        if kind in ("kit-pilot", "kit-gazer", "kit-pusher"):
            return pilot_of(document)
        return super().restore(document, side)
