"""One attacker's training: what does not change while it goes on; imported only where torch is needed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sparring.policy import Policy
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring_plugins.learners.ppo import Ppo
from sparring_plugins.learners.state import PpoState
from sparring_plugins.networks.policy import NetworkPolicy
from sparring_plugins.networks.portable import write_pair
from sparring_plugins.oracles._learning_identity import facts_of, identity
from sparring_plugins.oracles._learning_progress import Progress, Tried

if TYPE_CHECKING:
    from sparring_plugins.oracles.ppo import PpoOptions

__all__ = ["Training"]

SCORINGS = 20
"""Of a training, where nothing else is asked for."""
HALVES = (".safetensors", ".json")


@dataclass(frozen=True, eq=False)
class Training:
    """Whom to train against, with what, and for how long."""

    duel: SimulatedAttackGame
    victim: Policy
    learner: Ppo
    options: PpoOptions
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

    def policy(self, state: PpoState) -> NetworkPolicy:
        """The attacker of a state; it draws nothing."""
        return self.learner.policy(state, facts_of(self.duel), adversary=True).greedy()

    def tried(self, state: PpoState) -> Tried:
        """Score an iterate."""
        episodes = self.duel.play(self.victim, self.policy(state), self.seeds)
        returns = tuple(float(each) for each in episodes.returns)
        return Tried(state.updates, state.steps, returns, int(episodes.lengths.sum()))

    @property
    def identity(self) -> dict[str, Any]:
        """What must be the same for the training to go on; a step size that falls to 0 fixes where it ends."""
        annealed_to = self.steps if self.learner.settings.anneal else None
        return identity(self.duel, self.victim, self.starts, self.seeds, annealed_to)

    def save(self, progress: Progress, path: Path) -> None:
        """Write the best attacker as a portable pair, with how it came to be."""
        told = {
            "settings": self.learner.settings.model_dump(mode="json"),
            "seed": progress.state.seed, "steps": progress.state.steps, "kept_at": progress.best.steps,
            "episodes": self.options.episodes, "starts": self.options.starts,
            "curve": [[each.steps, each.mean] for each in progress.tried],
        }  # fmt: skip
        whole = path if path.suffix in HALVES else path.with_name(path.name + HALVES[0])  # names may have dots
        facts = {**facts_of(self.duel), "name": whole.stem, "training": told}
        write_pair(self.learner.policy(progress.best, facts, adversary=True).greedy(), whole)
