"""What the attacks by a robust critic share: training critics, and choosing among the attackers that they make."""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from sparring.attack_game import AttackGame, Effort
from sparring.errors import RefusedError
from sparring.forms import Form
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Policy
from sparring.simulated.attack_game import SEEDS
from sparring.simulated.spaces import Box
from sparring_plugins.networks.engine import engine
from sparring_plugins.oracles._choosing import Yardstick, strongest_of
from sparring_plugins.oracles._gradient_oracle import attackable
from sparring_plugins.oracles._sarsa_options import SarsaOptions

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame
    from sparring_plugins.critics.critic import LearnedCritic
    from sparring_plugins.oracles._critic_attacker import CriticAttacker

__all__ = ["SarsaOracle"]


class SarsaOracle(Oracle):
    """Learns critics of the victim, attacks with each, and keeps the strongest on episodes of its own."""

    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})
    needs: ClassVar[frozenset[Ability]] = frozenset({Ability.DIFFERENTIABLE})

    beside: ClassVar[frozenset[str]] = frozenset({"keep"})

    @abstractmethod
    def attackers(
        self, duel: SimulatedAttackGame, victim: Policy, critic: LearnedCritic, seed: int
    ) -> dict[str, CriticAttacker]:
        """The attackers that one critic makes, by the settings that tell them apart, as specs write them."""

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        """Train, try all, keep one; what it can be doubted for stands in the document."""
        engine(f"oracle {self.name}")
        from sparring_plugins.oracles._doubts import doubts_of, no_stronger_than_noise
        from sparring_plugins.oracles._sarsa_training import critics_of

        game = attackable(duel, self.name)
        if not isinstance(game.game.action, Box):
            raise RefusedError(
                f"oracle {self.name} on {game.game.spec}: actions are choices, with no ball around them; use min-q"
            )
        options: SarsaOptions = self.options
        seed, chooser = (int(each) for each in rng.integers(SEEDS, size=2))
        count = options.transitions
        if effort is not None and effort.steps is not None:
            count = min(count, max(1, effort.steps // len(options.spreads)))
        critics, spent = critics_of(game, victim, options, count, seed)
        made = {
            f"{self.name}({settings.told}{told})": attacker
            for settings, critic in zip(options.critics(), critics, strict=True)
            for told, attacker in self.attackers(game, victim, critic, seed).items()
        }
        yardstick = Yardstick(game, victim, options.selection, chooser)
        candidates = [yardstick.candidate(name, partial(Finding, attacker)) for name, attacker in made.items()]
        best = strongest_of(candidates)
        attacker = made[best.tried.oracle]
        weak, looked = no_stronger_than_noise(yardstick, best.tried)
        doubts, steps = doubts_of(attacker, game, victim, rng)
        spent += steps + looked + sum(each.tried.steps for each in candidates)
        warnings = tuple(f"oracle {self.name}: {each}" for each in (*weak, *doubts))
        return Finding(attacker, steps=spent, warnings=warnings, tried=tuple(each.tried for each in candidates))
