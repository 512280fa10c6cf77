"""Gradients of a robust critic that is learned by watching the victim."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from sparring import hookimpl
from sparring.oracle import Oracle
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring_plugins.oracles._sarsa_options import SarsaOptions
from sparring_plugins.oracles._sarsa_oracle import SarsaOracle

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame
    from sparring_plugins.critics.critic import LearnedCritic
    from sparring_plugins.oracles._critic_attacker import CriticAttacker


class RobustSarsa(SarsaOracle):
    """Lowers `Q(s, pi(s_hat))` by a critic that is smooth in the action and independent of the victim's training."""

    name: ClassVar[str] = "robust-sarsa"
    summary: ClassVar[str] = "the change that a robust critic, learned of the victim, likes least"
    source: ClassVar[str] = "thesis, section 6.4.3, algorithms 6.10 and 6.9"
    Options: ClassVar[type[PluginOptions]] = SarsaOptions

    def attackers(
        self, duel: SimulatedAttackGame, victim: Policy, critic: LearnedCritic, seed: int
    ) -> dict[str, CriticAttacker]:
        """One, by the critic alone."""
        from sparring_plugins.oracles._critic_attacker import critic_attacker

        return {"": critic_attacker(self.options, critic)}


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `robust-sarsa`."""
    return [RobustSarsa]
