"""The training of a director: it learns in the attacker's view, where gradients carry out what it says."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.attack_game import Side
from sparring.files import write_text
from sparring.simulated.chance import EpisodeStreams
from sparring.simulated.spaces import Box, Discrete, Space
from sparring.simulated.views import AttackerView
from sparring.simulated.world import Step
from sparring_plugins.learners.state import PpoState
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.oracles._directed_attacker import DirectedAttacker
from sparring_plugins.oracles._learning_progress import Progress
from sparring_plugins.oracles._learning_training import Training

if TYPE_CHECKING:
    from sparring_plugins.oracles.pa_ad import PaAdOptions

__all__ = ["DirectedTraining"]

REACH = 2.5
"""Several steps together are this many budgets long, so that the far side of the ball is in reach, as for `pgd`."""
ENDING = ".json"

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class DirectedTraining(Training):
    """Learns directions of the victim's outputs (Sun et al. 2022, section 4)."""

    name: ClassVar[str] = "pa-ad"

    options: PaAdOptions

    @property
    def spaces(self) -> tuple[Space, Space]:
        """What the victim would see, and a direction of its outputs."""
        action = self.duel.game.action
        count = action.count if isinstance(action, Discrete) else math.prod(action.shape)
        return super().spaces[0], Box(-np.ones(count), np.ones(count), "float32")

    def world(self) -> DirectedWorld:
        """The attacker's view, in directions."""
        view = self.duel.view(Side.ATTACKER, self.victim, self.options.episodes)
        assert isinstance(view, AttackerView)  # what there is for this side
        return DirectedWorld(view, self._led_by(None))

    def policy(self, state: PpoState) -> DirectedAttacker:
        """The attacker that the director of a state leads."""
        return self._led_by(self.network(state))

    @property
    def identity(self) -> dict[str, Any]:
        """The actor belongs to it."""
        return {**super().identity, "actor_steps": self.options.actor_steps}

    def save(self, progress: Progress, path: Path) -> None:
        """Write the best attacker as a document, with how it came to be."""
        whole = path if path.suffix == ENDING else path.with_name(path.name + ENDING)
        attacker = self._led_by(self.network(progress.best, {"name": whole.stem, "training": self.told(progress)}))
        write_text(whole, json.dumps(attacker.to_document()) + "\n")

    def _led_by(self, director: NetworkPolicy | None) -> DirectedAttacker:
        """From the true observation; a single step is as long as the budget."""
        steps = self.options.actor_steps
        rate = 1.0 if steps == 1 else REACH / steps
        return DirectedAttacker("direction", steps, rate, start="centre", director=director)


class DirectedWorld:
    """The attacker's view for a director: its actions are directions, from -1 to 1, [batch, outputs of the victim]."""

    def __init__(self, view: AttackerView, attacker: DirectedAttacker) -> None:
        """`attacker` carries out what the learner says."""
        self.size, self._view, self._attacker = view.size, view, attacker
        self._chance = EpisodeStreams([0] * view.size, "actor")  # from the centre, without noise, nothing is drawn

    @property
    def observations(self) -> NDArray[Any]:
        """As the view has them."""
        return self._view.observations

    def reset(self, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin one episode for each seed."""
        return self._view.reset(seeds)

    def restart(self, where: Flags, seeds: Sequence[int]) -> NDArray[Any]:
        """Begin new episodes in the marked places."""
        return self._view.restart(where, seeds)

    def step(self, actions: NDArray[Any], active: Flags | None = None) -> Step:
        """Propose what moves the victim's outputs in these directions."""
        proposals = self._attacker.towards(actions, self._view.attack_view(), self._chance)
        return self._view.step(proposals, active)

    def save(self) -> Any:
        """As the view has it."""
        return self._view.save()

    def load(self, saved: Any) -> None:
        """Go back to a saved state."""
        self._view.load(saved)

    def close(self) -> None:
        """Close the view."""
        self._view.close()
