"""Whether a network and a game belong together; a line with both sizes, and what would fit, where they do not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from sparring.errors import RequestError
from sparring.game import Game
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box, Discrete
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.networks.reading import made_for

__all__ = ["fitted"]


def fitted(policy: NetworkPolicy, game: Game | None, who: str) -> NetworkPolicy:
    """The policy with the game's action limits, once it is seen to fit; as it is where there is no game.

    Raises:
        RequestError: the game is of another form, or observations or actions have other sizes.
    """
    if game is None:
        return policy
    if not isinstance(game, SimulatedGame):
        raise RequestError(f"{who}: a network for simulated games such as gym:Hopper-v5, {game.spec} is {game.form}")
    game.check_observation(policy.observation, who, made_for(policy.description))
    if policy.reading.gives == "direction":
        return policy
    wanted = "one of" if policy.reading.gives in ("logits", "values") else "numbers"
    if isinstance(game.action, Discrete):
        if (wanted, policy.outputs_count) != ("one of", game.action.count):
            raise RequestError(f"{who}: gives {wanted} {policy.outputs_count}, {game.spec} takes {game.action}")
        return policy
    count = int(np.prod(game.action.shape))
    if (wanted, policy.outputs_count) != ("numbers", count):
        raise RequestError(f"{who}: gives {wanted} {policy.outputs_count}, {game.spec} takes {count} numbers")
    return replace(policy, action_limits=_limits(game.action))


def _limits(space: Box) -> tuple[np.ndarray, np.ndarray]:
    kind = np.dtype(space.dtype)
    return space.low.astype(kind), space.high.astype(kind)
