"""The learners as the core finds them, by entry points `sparring.learners`; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import ValidationError

from sparring.attack_game import StepInfo
from sparring.errors import RequestError
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


def ppo(**options: Any) -> PpoLearner:
    """PPO from options as specs give them; sizes are text such as `64-64`.

    Raises:
        RequestError: an option does not exist or its value is illegal.
    """
    try:
        return PpoLearner(PpoSettings(**options))
    except ValidationError as error:
        first = error.errors()[0]
        raise RequestError(f"learner ppo: {'.'.join(str(p) for p in first['loc'])}: {first['msg']}") from None
