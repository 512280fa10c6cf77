"""The learners as the core finds them, by entry points `sparring.learners`; imported only where torch is needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from sparring.errors import RequestError
from sparring.policy import Policy
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.settings import PpoSettings
from sparring_plugins.networks.policy import NetworkPolicy

__all__ = ["PpoLearner", "ppo"]


class PpoLearner(Ppo):
    """PPO as `sparring.simulated.learner.Learner` asks for it."""

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
