"""Both sides of an attack game as a parallel environment of PettingZoo; imported when one is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from sparring.simulated._gymnasium_env import SEEDS, element, gym_space
from sparring.simulated.attackers import as_proposals, proposal_space
from sparring.simulated.channels import ObservationChannel, shown_space
from sparring.simulated.contest import normalised
from sparring.simulated.meter import Meter
from sparring.simulated.normalising import kept_to_itself
from sparring.simulated.spaces import Box

if TYPE_CHECKING:
    from sparring.simulated.attack_game import SimulatedAttackGame

__all__ = ["BothEnv"]

VICTIM, ATTACKER = "victim", "attacker"


class BothEnv(ParallelEnv):  # type: ignore[misc, type-arg, unused-ignore]  # pettingzoo may not be installed
    """Two agents, whose rewards add up to 0. A victim sees what the attacker has last shown it, 0 before that."""

    metadata: ClassVar[dict[str, Any]] = {"name": "sparring_v0", "render_modes": []}
    render_mode = None

    def __init__(self, duel: SimulatedAttackGame) -> None:
        """Take an attack game.

        Raises:
            RefusedError: the attack works behind the normalisation of a victim of which nothing is known here.
        """
        if normalised(duel.channels):
            raise kept_to_itself(duel.game.spec, "a learner of another library")
        self._where, self._world, self._meter = duel.game.spec, duel.game.world(1), Meter(duel.channels)
        self._in_turn = any(isinstance(channel, ObservationChannel) for channel in duel.channels)
        self._kinds = {VICTIM: shown_space(duel.game.observation, duel.channels), ATTACKER: duel.game.observation}
        self.possible_agents = [VICTIM, ATTACKER]
        self.agents: list[str] = []
        self.observation_spaces = {agent: gym_space(kind) for agent, kind in self._kinds.items()}
        self.action_spaces = {VICTIM: gym_space(duel.game.action), ATTACKER: gym_space(proposal_space(duel.channels))}
        self._rng = np.random.default_rng()
        self._proposals: NDArray[np.float64] | None = None
        """Of an attacker that has moved while the victim has not."""
        self._shown: NDArray[Any] = np.zeros((0,))

    def observation_space(self, agent: str) -> Any:
        """What an agent sees."""
        return self.observation_spaces[agent]

    def action_space(self, agent: str) -> Any:
        """What an agent does."""
        return self.action_spaces[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin the episode of a seed, or of one that is drawn."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        own = int(self._rng.integers(SEEDS)) if seed is None else int(seed)
        truth = self._world.reset([own])
        self._meter.begin([own])
        self.agents = list(self.possible_agents)
        self._proposals = None
        self._shown = self._nothing(len(truth)) if self._in_turn else truth
        return self._looks(), {agent: {"acts": self._acts(agent), "seed": own} for agent in self.agents}

    def step(self, actions: dict[str, Any]) -> tuple[dict[str, Any], ...]:
        """Take the actions of both; that of an agent whose turn it is not is not looked at."""
        if not self.agents:
            return {}, {}, {}, {}, {}
        agents = self.agents
        if self._in_turn and self._proposals is None:
            self._proposals = self._proposed(actions)
            self._shown = self._meter.shown(self._world.observations, self._proposals)
            return self._told(agents, 0.0, False, False)
        proposals = self._proposed(actions) if self._proposals is None else self._proposals
        step = self._meter.step(self._world, np.asarray(actions[VICTIM])[None], proposals)
        self._proposals = None
        if not self._in_turn:
            self._shown = step.observations
        if step.finished[0]:
            self.agents = []
        return self._told(agents, float(step.rewards[0]), bool(step.terminated[0]), bool(step.truncated[0]))

    def close(self) -> None:
        """Close the world."""
        self._world.close()

    def render(self) -> None:
        """Nothing is drawn here."""

    def _proposed(self, actions: dict[str, Any]) -> NDArray[np.float64]:
        return as_proposals(np.asarray(actions[ATTACKER])[None], self._meter.channels, 1)

    def _acts(self, agent: str) -> bool:
        """Whether an agent's next action counts."""
        return not self._in_turn or (agent == ATTACKER) == (self._proposals is None)

    def _nothing(self, batch: int) -> NDArray[Any]:
        """What the victim sees before it has been shown anything: 0, or what is nearest to it."""
        space = self._kinds[VICTIM]
        assert isinstance(space, Box)
        return np.tile(np.clip(0.0, space.low, space.high), (batch, *(1 for _ in space.shape)))

    def _looks(self) -> dict[str, Any]:
        seen = {VICTIM: self._shown, ATTACKER: self._world.observations}
        return {agent: element(seen[agent][0], self._kinds[agent]) for agent in self.possible_agents}

    def _told(self, agents: list[str], reward: float, ended: bool, cut: bool) -> tuple[dict[str, Any], ...]:
        """What a joint step gives to those who took part in it."""
        infos: dict[str, dict[str, Any]] = {agent: {"acts": self._acts(agent)} for agent in agents}
        infos[ATTACKER]["deployed"] = {name: made[0].copy() for name, made in self._meter.deployed.items()}
        rewards = {VICTIM: reward, ATTACKER: -reward}
        return self._looks(), rewards, dict.fromkeys(agents, ended), dict.fromkeys(agents, cut), infos
