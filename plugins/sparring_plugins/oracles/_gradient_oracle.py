"""What the gradient oracles share: which victims they can attack, and the doubts that stand in the document."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sparring.attack_game import AttackGame, Effort, Operation
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Policy
from sparring.simulated.channels import ObservationChannel
from sparring_plugins.networks.engine import engine
from sparring_plugins.oracles._gradient_attacker import GradientAttacker

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["GradientOracle", "attackable"]


def attackable(duel: AttackGame, who: str) -> SimulatedAttackGame:
    """The attack game, once it is seen to let the attacker touch what the victim sees; needs torch.

    Raises:
        RefusedError: it does not.
    """
    from sparring_plugins.oracles._doubts import simulated

    game = simulated(duel, who)
    if not any(isinstance(channel, ObservationChannel) for channel in game.channels):
        raise RefusedError(
            f"oracle {who} on {duel.game.spec}: attacks what the victim sees, which the threat does not touch"
        )
    return game


class GradientOracle(Oracle):
    """Attacks what the victim sees, at every step, by the victim's gradients."""

    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Ability.DIFFERENTIABLE})

    @abstractmethod
    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """The settings of the attack.

        Raises:
            RefusedError: this victim lacks what it takes.
        """

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """The attacker, with what there is to doubt about it on the states that this victim visits."""
        engine(f"oracle {self.name}")
        from sparring_plugins.oracles._doubts import doubts_of

        game = attackable(duel, self.name)
        attacker = self.attacker(duel, victim)
        warnings, steps = doubts_of(attacker, game, victim, rng)
        return Finding(attacker, steps=steps, warnings=tuple(f"oracle {self.name}: {told}" for told in warnings))
