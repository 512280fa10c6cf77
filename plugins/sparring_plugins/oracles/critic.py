"""Gradients of the value function that the victim was trained with."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from sparring import hookimpl
from sparring.acting import HasCritics
from sparring.attack_game import AttackGame, Operation
from sparring.errors import RefusedError
from sparring.oracle import Oracle
from sparring.plugin import PluginOptions, unit
from sparring.policy import Ability, Policy
from sparring.simulated.normalising import Normalising
from sparring.simulated.spaces import Discrete
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.oracles._gradient_attacker import GradientAttacker
from sparring_plugins.oracles._gradient_oracle import GradientOracle


class CriticOptions(PluginOptions):
    """Options of `critic`."""

    steps: int = Field(10, ge=1, le=1000, description="steps", json_schema_extra=unit("steps", searched=False))
    rate: float = Field(0.0, ge=0, le=2, description="length of a step in units of the budget; 0 for 1 / steps")
    network: str = Field("", description="the judging network in the victim's file; empty for `critic`, else `value`")


class Critic(GradientOracle):
    """Lowers `Q(s, pi(s_hat))`, or `V(s_hat)` where there is no Q, which says little about the true state."""

    name: ClassVar[str] = "critic"
    summary: ClassVar[str] = "the change that the victim's own value function likes least"
    source: ClassVar[str] = "thesis, section 6.4.1, equation 6.14 and algorithm 6.9"
    needs: ClassVar[frozenset[Ability | Operation]] = frozenset({Ability.DIFFERENTIABLE, Ability.CRITIC})
    Options: ClassVar[type[PluginOptions]] = CriticOptions

    def attacker(self, duel: AttackGame, victim: Policy) -> GradientAttacker:
        """As the options say, from the true observation."""
        chosen = self.options
        rate = chosen.rate or 1 / chosen.steps
        return GradientAttacker("critic", chosen.steps, rate, start="centre", network=self._network(duel, victim))

    def _network(self, duel: AttackGame, victim: Policy) -> str:
        held = victim.critics if isinstance(victim, HasCritics) else ()
        wanted = self.options.network or next(iter(held), "")
        if not wanted or wanted not in held:
            there = f"it has {', '.join(held)}" if held else "it has none"
            raise RefusedError(f"oracle critic: the victim needs a value function {wanted!r}; {there}")
        if wanted != "value" and isinstance(getattr(duel.game, "action", None), Discrete):
            raise RefusedError("oracle critic: a critic of chosen actions has no gradient in them; use min-q")
        spaces = [getattr(part.access, "ball", None) for part in duel.charged]
        raw = any(ball is not None and ball.space == "raw" for ball in spaces)
        if raw and _normalises(victim):
            raise RefusedError("oracle critic: the value function sees normalised observations; use space=normalised")
        return wanted


def _normalises(victim: Policy) -> bool:
    """Whether its networks see something else than the game's observations."""
    if isinstance(victim, NetworkPolicy):
        return victim.reading.normaliser is not None
    return isinstance(victim, Normalising)


@hookimpl
def sparring_oracles() -> list[type[Oracle]]:
    """Give `critic`."""
    return [Critic]
