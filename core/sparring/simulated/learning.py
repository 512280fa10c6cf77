"""The learning half of an attack game of the simulated form: a learner for either side, in that side's world."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from sparring.attack_game import LearnerState, Side, StepInfo
from sparring.errors import RequestError
from sparring.files import write_text
from sparring.policy import Policy
from sparring.simulated.attackers import proposal_space
from sparring.simulated.channels import Channel
from sparring.simulated.contest import normalised
from sparring.simulated.learner import Learner, learner_of, learners
from sparring.simulated.metered import MeteredWorld, StepCount
from sparring.simulated.normalising import Restoring, kept_to_itself
from sparring.simulated.spaces import Box, Space
from sparring.simulated.views import AttackerView, VictimView
from sparring.simulated.world import World

if TYPE_CHECKING:
    from sparring.simulated.game import SimulatedGame

__all__ = ["SIZE", "Learning", "TrainedState"]

SIZE = 16
"""Episodes side by side in the worlds that learners train in."""


@dataclass(frozen=True, eq=False)
class TrainedState(LearnerState):
    """A learner's state; `parameters` are its own, `learner` is the spec that makes the learner again."""


class Learning:
    """Starts, trains, freezes and keeps learners of both sides; whose turn it is, others say."""

    def __init__(
        self, game: SimulatedGame, channels: tuple[Channel, ...], workers: int, count: StepCount | None = None
    ) -> None:
        """Learn in a game whose attacker has these channels; `workers` as for `SimulatedGame.world`.

        Steps of its worlds are added to `count`.
        """
        self._game, self._channels, self._workers = game, channels, workers
        self._count = StepCount() if count is None else count
        self._world: World | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the world, which is made again where it is needed."""
        return {**self.__dict__, "_world": None}

    @property
    def sides(self) -> frozenset[Side]:
        """Who can learn under this attack."""
        return frozenset(Side) if learners() else frozenset()

    def why(self) -> dict[str, str]:
        """Reasons by operation for what cannot be learned."""
        told = {}
        for side in Side:
            told[f"respond:{side}"] = (
                "there is no exact one; name an oracle such as 'mad' or 'random', or train one (learner 'ppo')"
            )
            told[f"step:{side}"] = "no learner is installed; install one, such as 'ppo'"
        if normalised(self._channels) and Side.VICTIM not in self.sides:
            told["step:victim"] = told["respond:victim"] = (
                "its learner keeps to itself how it normalises what it sees, and the attack works behind that; use "
                "space=raw"
            )
        return told

    def view(self, side: Side, against: Policy | None, size: int = SIZE) -> AttackerView | VictimView:
        """A new world of one side; see `SimulatedAttackGame.view`."""
        return self._view(side, against, self._new_world(size))

    def spaces(self, side: Side) -> tuple[Space, Space]:
        """What a side sees and what it chooses from; of an attacker, in its view."""
        seen, action = self._game.observation, self._game.action
        if side is Side.VICTIM:
            return seen, action
        behind = Box(np.full(seen.shape, -np.inf), np.full(seen.shape, np.inf), "float32")
        return behind if normalised(self._channels) else seen, proposal_space(self._channels)

    def start(self, side: Side, seed: int, learner: str) -> TrainedState:
        """A learner that has learned nothing, by its spec."""
        return TrainedState(side, self._made(learner).start(*self.spaces(side), seed), learner=learner)

    def freeze(self, state: LearnerState) -> Policy:
        """A snapshot of a learner."""
        return self._made(state.learner).policy(state.parameters)

    def train(
        self, state: LearnerState, against: Policy, steps: int, rate: float | None, rng: np.random.Generator
    ) -> tuple[TrainedState, StepInfo]:
        """Update until so many simulator steps are spent, at least once.

        Args:
            state: left as it is.
            against: the other side, already seen to fit.
            steps: simulator steps.
            rate: how many times the learner's own step size; None for once.
            rng: all randomness.

        Raises:
            RefusedError: the attack works behind a normalisation that the learner keeps to itself.
        """
        learner, own, count, spent = self._made(state.learner), state.parameters, state.updates, 0
        if self._world is None:
            self._world = self._new_world(SIZE)
        behind = self._behind(learner, own) if state.side is Side.VICTIM else None
        view = self._view(state.side, against, self._world, behind)
        while True:
            own, info = learner.update(own, view, rate=rate, rng=rng)
            spent, count = spent + info.steps, count + 1
            if spent >= steps:
                after = TrainedState(state.side, own, count, state.learner)
                return after, StepInfo(spent, info.gradient_norm, info.metrics)
            if isinstance(view, VictimView) and view.behind is not None:
                view.behind = self._behind(learner, own)  # for an update long its statistics stand still

    def save(self, state: LearnerState, path: Path) -> None:
        """Write a learner; what it is stands in a file beside it, which comes last."""
        self._made(state.learner).save(state.parameters, path)
        told = {"side": state.side.value, "updates": state.updates, "learner": state.learner}
        write_text(_beside(path), json.dumps(told) + "\n")

    def load(self, path: Path) -> TrainedState:
        """Read a learner.

        Raises:
            RequestError: what stands beside it is missing or damaged.
        """
        try:
            told = json.loads(_beside(path).read_text(encoding="utf-8"))
            side, updates, learner = Side(told["side"]), int(told["updates"]), str(told["learner"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RequestError(f"{_beside(path)}: damaged or missing ({type(error).__name__}: {error})") from error
        return TrainedState(side, self._made(learner).load(path), updates, learner)

    def _behind(self, learner: Learner, own: Any) -> Restoring | None:
        """The victim as it stands, where the attack works behind its normalisation."""
        if not normalised(self._channels):
            return None
        found = learner.policy(own)
        if not isinstance(found, Restoring):
            raise kept_to_itself(self._game.spec, f"a learner of type {type(learner).__name__}")
        return found

    def _view(
        self, side: Side, against: Policy | None, world: World, behind: Restoring | None = None
    ) -> AttackerView | VictimView:
        if side is Side.VICTIM:
            return VictimView(world, against, self._channels, self._game.action, self._game.spec, behind)
        if against is None:
            raise RequestError(f"{self._game.spec}: an attacker without a victim has nothing to attack")
        return AttackerView(world, against, self._channels, self._game.action)

    def _new_world(self, size: int) -> World:
        return MeteredWorld(self._game.world(size, self._workers), self._count)

    def _made(self, spec: str) -> Learner:
        return learner_of(spec, self._game.spec)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".json")
