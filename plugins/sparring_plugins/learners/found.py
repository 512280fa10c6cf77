"""The learners as the core finds them, by entry points `sparring.learners`; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from sparring.attack_game import StepInfo
from sparring.policy import Policy
from sparring.simulated.world import World
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.learners.state import PpoState
from sparring_plugins.networks.policy import NetworkPolicy

__all__ = ["PpoLearner", "ppo"]


class PpoLearner(Ppo):
    """PPO as `sparring.simulated.learner.Learner` asks for it."""

    def update(
        self, state: PpoState, world: World, *, rate: float | None = None, rng: np.random.Generator | None = None
    ) -> tuple[PpoState, StepInfo]:
        """As `Ppo.update`, but with a rate in units of the settings' own."""
        return super().update(state, world, rate=None if rate is None else rate * self.settings.learning_rate, rng=rng)

    def restore(self, document: Mapping[str, Any]) -> Policy:
        """The network of a policy's document."""
        return NetworkPolicy.of_document(document)


class _PpoDoor:
    """Proximal policy optimisation, of feed-forward or recurrent networks (Schulman et al. 2017)."""

    Options: ClassVar[type[PpoSettings]] = PpoSettings

    def __call__(self, **options: Any) -> PpoLearner:
        """PPO from options as specs give them; sizes are text such as `64-64`."""
        return PpoLearner(PpoSettings(**options))


ppo = _PpoDoor()
"""What `sparring.learners` names; the core validates its options."""
