"""A robust critic's displeasure and the change of the action distribution, raised together."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.oracle import Oracle
from sparring.plugin import PluginOptions
from sparring.policy import Policy
from sparring_plugins.oracles._numbers import Share
from sparring_plugins.oracles._sarsa_options import SarsaOptions
from sparring_plugins.oracles._sarsa_oracle import SarsaOracle

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame
    from sparring_plugins.critics.critic import LearnedCritic
    from sparring_plugins.oracles._critic_attacker import CriticAttacker


class RsMadOptions(SarsaOptions):
    """Options of `rs+mad`."""

    mixes: Share = Field(
        (0.5, 0.8),
        description="weights of the critic to try; the rest is the divergence's, both in units of what noise does",
    )


class RsMad(SarsaOracle):
    """Climbs both objectives at once; their units make weights mean the same for every victim."""

    name: ClassVar[str] = "rs+mad"
    summary: ClassVar[str] = "robust critic and change of the action distribution at once"
    source: ClassVar[str] = "thesis, section 6.4.5, on algorithms 6.10 and 6.11"
    Options: ClassVar[type[PluginOptions]] = RsMadOptions

    def attackers(
        self, duel: SimulatedAttackGame, victim: Policy, critic: LearnedCritic, seed: int
    ) -> dict[str, CriticAttacker]:
        """One for each weight."""
        from sparring_plugins.oracles._critic_attacker import critic_attacker, in_units

        measured = in_units(critic_attacker(self.options, critic), duel, victim, seed)
        return {f",mixes={mix:g}": replace(measured, mix=mix) for mix in self.options.mixes}


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `rs+mad`."""
    return [RsMad]
