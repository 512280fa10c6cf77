"""One attacker's training: what does not change while it goes on; imported only where torch is needed.

This one learns to propose changes; others override what the learner acts in and what attacker it makes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from sparring.attack_game import Side
from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.spaces import Space
from sparring.simulated.world import World
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.state import PpoState
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.networks.portable import write_pair
from sparring_plugins.oracles._learning_identity import facts_of, identity
from sparring_plugins.oracles._learning_progress import Progress, Tried

if TYPE_CHECKING:
    from sparring_plugins.oracles._learning_options import LearningOptions

__all__ = ["Training"]

SCORINGS = 20
"""Of a training, where nothing else is asked for."""
HALVES = (".safetensors", ".json")


@dataclass(frozen=True, eq=False)
class Training:
    """Whom to train against, with what, and for how long."""

    name: ClassVar[str] = "ppo"
    """The oracle's."""

    duel: SimulatedAttackGame
    victim: Policy
    learner: Ppo
    options: LearningOptions
    steps: int
    starts: tuple[int, ...]
    """Seeds of the untrained networks that are tried."""
    seeds: tuple[int, ...]
    """Of the episodes by which iterates are compared."""

    def every(self, first: Tried) -> int:
        """Simulator steps between two scorings: where nothing else is asked for, not fewer than a scoring takes."""
        return self.options.select_every or max(self.steps // SCORINGS, first.played)

    @property
    def checkpoint(self) -> Path | None:
        """Where the training is kept."""
        return Path(self.options.checkpoint).expanduser() if self.options.checkpoint else None

    @property
    def spaces(self) -> tuple[Space, Space]:
        """What the learner sees and what it chooses from."""
        return self.duel.spaces(Side.ATTACKER)

    def world(self) -> World:
        """What it learns in."""
        return self.duel.view(Side.ATTACKER, self.victim, self.options.episodes)

    def policy(self, state: PpoState) -> Policy:
        """The attacker of a state; it draws nothing."""
        return self.network(state)

    def network(self, state: PpoState, facts: Mapping[str, Any] | None = None) -> NetworkPolicy:
        """What the learner has learned; `facts` are what its description says besides."""
        told = {"name": self.name, **facts_of(self.duel), **(facts or {})}
        return self.learner.policy(state, told, adversary=True).greedy()

    def tried(self, state: PpoState) -> Tried:
        """Score an iterate."""
        episodes = self.duel.play(self.victim, self.policy(state), self.seeds)
        returns = tuple(float(each) for each in episodes.returns)
        return Tried(state.updates, state.steps, returns, int(episodes.lengths.sum()))

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for the training to go on; a step size that falls to 0 fixes where it ends."""
        annealed_to = self.steps if self.learner.settings.anneal else None
        return {"oracle": self.name, **identity(self.duel, self.victim, self.starts, self.seeds, annealed_to)}

    def save(self, progress: Progress, path: Path) -> None:
        """Write the best attacker as a portable pair, with how it came to be."""
        whole = path if path.suffix in HALVES else path.with_name(path.name + HALVES[0])  # names may have dots
        write_pair(self.network(progress.best, {"name": whole.stem, "training": self.told(progress)}), whole)

    def told(self, progress: Progress) -> dict[str, Any]:
        """How the best attacker came to be."""
        return {
            "settings": self.learner.settings.model_dump(mode="json"),
            "seed": progress.state.seed, "steps": progress.state.steps, "kept_at": progress.best.steps,
            "episodes": self.options.episodes, "starts": self.options.starts,
            "curve": [[each.steps, each.mean] for each in progress.tried],
        }  # fmt: skip
