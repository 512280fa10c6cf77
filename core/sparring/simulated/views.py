"""An attack game as an ordinary world for one side: the other side is part of it.

`sparring.environments` makes environments of other libraries of these, and one of both sides at once.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RefusedError, RequestError
from sparring.policy import Mixture, Policy
from sparring.simulated.attackers import AttackView, Proposing, as_proposals, proposals_of
from sparring.simulated.bookkeeping import checked_actions
from sparring.simulated.channels import Channel
from sparring.simulated.contest import ATTACKER, VICTIM, inner_of, normalised, seen_by
from sparring.simulated.meter import Meter
from sparring.simulated.normalising import Restoring, kept_to_itself
from sparring.simulated.seats import Seat, parts_of
from sparring.simulated.spaces import Space
from sparring.simulated.world import Step, World

__all__ = ["AttackerView", "VictimView"]

Array = NDArray[Any]
Flags = NDArray[np.bool_]


class _View(ABC):
    """What both views share: the world, the other side's seat, the meter, and states set back exactly."""

    def __init__(self, world: World, channels: Sequence[Channel], other: Seat | None) -> None:
        self.size, self._world, self._other = world.size, world, other
        self._meter = Meter(channels)
        self._observations: Array = np.zeros((0,))
        self._proposals = np.zeros((0, 0))
        """Of an attacker that is part of this world, for the step to come."""

    @property
    def observations(self) -> Array:
        """What the episodes show this side now, [batch, *observation]."""
        return self._observations

    @property
    def deployed(self) -> dict[str, Array]:
        """What has been made of the attacker's proposals: what was seen and sent, by threat, and values by knob."""
        return self._meter.deployed

    def reset(self, seeds: Sequence[int]) -> Array:
        """Begin one episode for each seed."""
        self._world.reset(seeds)
        if self._other is not None:
            self._other.begin(seeds)
        self._meter.begin(seeds)
        return self._look()

    def restart(self, where: Flags, seeds: Sequence[int]) -> Array:
        """Begin new episodes in the marked places."""
        self._world.restart(where, seeds)
        if self._other is not None:
            self._other.renew(where, seeds)
        self._meter.renew(where, seeds)
        return self._look()

    def save(self) -> Any:
        """Everything that later steps depend on, but for the other side's policy."""
        return {
            "world": self._world.save(),
            "other": None if self._other is None else self._other.save(),
            "meter": self._meter.save(),
            "seen": (self._observations.copy(), self._proposals.copy()),
        }

    def load(self, saved: Any) -> None:
        """Go back to a saved state; where the other side is somebody else by now, the episodes go on against them.

        Raises:
            RequestError: it was saved without the other side, or with one where there is none.
        """
        if (saved["other"] is None) != (self._other is None):
            raise RequestError("a view's state was saved against nobody and is loaded against somebody, or vice versa")
        self._world.load(saved["world"])
        if self._other is not None:
            self._other.load(saved["other"])
        self._meter.load(saved["meter"])
        self._observations, self._proposals = (array.copy() for array in saved["seen"])

    def close(self) -> None:
        """Close the world."""
        self._world.close()

    @abstractmethod
    def _look(self) -> Array:
        """See what there is to see."""


class AttackerView(_View):
    """The attacker's world: it sees what the victim would, proposes from -1 to 1, and gets the negative reward."""

    def __init__(self, world: World, victim: Policy, channels: Sequence[Channel], action: Space) -> None:
        """`victim`, which chooses from `action`, is a policy, or a mixture of which one part acts in each episode."""
        self._wholes, weights = parts_of(victim)
        inner = tuple(inner_of(part, channels) for part in self._wholes)
        self._seat = Seat(inner[0] if len(inner) == 1 else Mixture(inner, weights), VICTIM)
        self._action = action
        super().__init__(world, channels, self._seat)

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        """Let the victim act on what the attacker makes of its observations.

        Raises:
            RequestError: proposals of another shape, or not all episodes are to move.
        """
        _check_all(active)
        proposals = as_proposals(actions, self._meter.channels, len(self._world.observations))
        shown = self._meter.shown(self._observations, proposals)

        def question(policy: Any, memory: Any, chance: Any) -> tuple[Array, Any]:
            acted, after = policy.act(shown, memory, chance)
            return np.asarray(acted), after

        step = self._meter.step(self._world, self._seat.ask(question), proposals)
        return Step(self._look(), -step.rewards, step.terminated, step.truncated)

    def attack_view(self) -> AttackView:
        """What an attacker that reads the victim is shown now, of copies.

        Raises:
            RefusedError: the victim is a mixture, and no one policy can be read.
        """
        if len(self._wholes) > 1:
            raise RefusedError(f"a mixture of {len(self._wholes)} victims cannot be read; attack them one by one")
        truth, memory = self._world.observations.copy(), copy.deepcopy(self._seat.memories[0])
        victim, channels = self._seat.parts[0], self._meter.channels
        return AttackView(truth, self._observations.copy(), victim, memory, channels, self._action)

    def _look(self) -> Array:
        observations, channels = self._world.observations, self._meter.channels
        parts = [seen_by(part, observations, channels) for part in self._wholes]
        self._observations = parts[0]
        for place, seen in enumerate(parts[1:], start=1):
            rows = (self._seat.which == place).reshape(-1, *(1 for _ in seen.shape[1:]))
            self._observations = np.where(rows, seen, self._observations)
        return self._observations


class VictimView(_View):
    """The victim's world: it sees what the attacker leaves of the truth, and the world gets what is left of its action.

    The attacker proposes once a step, before the victim acts, and cannot read the victim, which is still learning.
    """

    behind: Restoring | None
    """Behind whose normalisation the attack works: the victim's as it stands, for as long as an update lasts."""

    def __init__(
        self,
        world: World,
        attacker: Policy | None,
        channels: Sequence[Channel],
        action: Space,
        where: str,
        behind: Restoring | None = None,
    ) -> None:
        """Without an attacker the victim is alone in its world.

        Args:
            world: of the game.
            attacker: a policy or a mixture.
            channels: what it may touch.
            action: the victim's actions.
            where: the game, for messages.
            behind: needed where the attack works on normalised observations; what is shown are the observations that
                this normalises to them, so that the victim goes on to normalise what it sees.

        Raises:
            RefusedError: it is needed and not given, or the attacker reads the victim.
        """
        if attacker is not None and normalised(channels) and behind is None:
            raise kept_to_itself(where, "a learner of another library")
        self.behind = behind if attacker is not None and normalised(channels) else None
        for part in () if attacker is None else parts_of(attacker)[0]:
            if isinstance(part, Proposing) and part.reads_victim:
                raise RefusedError(f"{where}: {type(part).__name__} reads the victim, which is still learning")
        seat = None if attacker is None else Seat(attacker, ATTACKER)
        super().__init__(world, () if attacker is None else channels, seat)
        self._action, self._where = action, where
        self._before: tuple[Any, Any] | None = None
        """Attacker and meter before they last looked; kept where an episode ended, so that only new ones look anew."""

    def step(self, actions: Array, active: Flags | None = None) -> Step:
        """Send the victim's actions through what the attacker may do to them.

        Raises:
            RequestError: actions of another shape, or not all episodes are to move.
        """
        _check_all(active)
        given = checked_actions(actions, len(self._world.observations), self._action.shape, self._where)
        step = self._meter.step(self._world, given, self._proposals)
        self._before = None
        if self._other is not None and step.finished.any():
            self._before = self._other.save(), self._meter.save()
        return Step(self._look(), step.rewards, step.terminated, step.truncated)

    def restart(self, where: Flags, seeds: Sequence[int]) -> Array:
        """Begin new episodes in the marked places.

        Raises:
            RequestError: not right after the step in which an episode ended.
        """
        if self._other is not None:
            if self._before is None:
                raise RequestError(f"{self._where}: episodes are begun anew right after the step in which one ended")
            attacker, meter = self._before
            self._other.load(attacker)
            self._meter.load(meter)
        return super().restart(where, seeds)

    def _look(self) -> Array:
        truth, attacker = self._world.observations, self._other
        self._observations = truth
        if attacker is not None:
            seen = truth if self.behind is None else self.behind.normalised(truth)
            view = AttackView(truth, seen, attacker.policy, None, self._meter.channels, self._action)
            self._proposals = attacker.ask(lambda policy, memory, chance: proposals_of(policy, view, memory, chance))
            shown = self._meter.shown(seen, self._proposals)
            # Where nothing is changed the victim sees what is true, to the last bit.
            self._observations = (
                shown if self.behind is None else np.where(shown == seen, truth, self.behind.observed(shown))
            )
        return self._observations


def _check_all(active: Flags | None) -> None:
    """Refuse to move some episodes alone.

    Raises:
        RequestError: not all are to move.
    """
    if active is not None and not np.asarray(active).all():
        raise RequestError("a view moves all of its episodes together: leave `active` out")
