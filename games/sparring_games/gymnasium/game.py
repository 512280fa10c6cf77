"""One environment of Gymnasium as a simulated game."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from sparring.errors import RequestError
from sparring.simulated.game import SimulatedGame
from sparring.simulated.knobs import Knob
from sparring.simulated.workers import SharedWorld
from sparring.simulated.world import World
from sparring_games.gymnasium.batch import MakeBatch
from sparring_games.gymnasium.dynamics import knobs_of
from sparring_games.gymnasium.knowledge import least_return, pushed_bodies, variant_of_size
from sparring_games.gymnasium.recipe import Recipe
from sparring_games.gymnasium.spaces import space_of

__all__ = ["GymnasiumGame"]

HARMLESS = frozenset({"repeat_action_probability", "frameskip", "full_action_space", "reset_noise_scale"})
"""Options that leave the range of rewards as it is."""


@dataclass(frozen=True, eq=False, kw_only=True)
class GymnasiumGame(SimulatedGame):
    """A game whose worlds are environments of one recipe."""

    recipe: Recipe

    @classmethod
    def of(cls, recipe: Recipe) -> GymnasiumGame:
        """Make one environment to see its spaces, and the game of it.

        Raises:
            RequestError: it cannot be made, or has spaces of other kinds.
        """
        environment = recipe.make()
        observation = space_of(environment.observation_space, "observation", recipe.spec)
        action = space_of(environment.action_space, "action", recipe.spec)
        environment.close()
        limit = recipe.time_limit()
        plain = all(name in HARMLESS for name, _ in recipe.options)
        least = least_return(recipe.identifier, plain, limit)
        return cls(recipe.spec, observation, action, limit, least, recipe=recipe)

    def world(self, size: int, workers: int = 0) -> World:
        """Environments in this process, or shared among workers.

        Raises:
            RequestError: no places, or fewer than no workers.
        """
        make = MakeBatch(self.recipe, self.observation, self.action)
        if workers < 0:
            raise RequestError(f"{self.spec}: {workers} workers, give 0 for none or more")
        return make(size) if workers == 0 else SharedWorld(make, size, workers, self.action, self.spec)

    @cached_property
    def knobs(self) -> tuple[Knob, ...]:
        """Forces and parameters of MuJoCo's robots; nothing of other environments."""
        environment = self.recipe.make()
        found = knobs_of(environment, pushed_bodies(self.recipe.identifier))
        environment.close()
        return found

    def fitting(self, shape: tuple[int, ...]) -> str | None:
        """The variant of the same robot with observations of that shape."""
        return variant_of_size(self.recipe.identifier, shape)
