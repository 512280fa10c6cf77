"""Search over all that an attacker may make a victim do from one seed: the least return that is proved.

A branch is a state with an action that is to be taken in it. A branch that is popped is followed as the victim would
act without attack, `segment` steps far; the steps' possible actions come of one call of the bound backend, and each
one beside the victim's own is a branch of its own. The branch with the least bound goes first, so that the least
bound among the open ones, or the least return of a finished one if that is less, is proved at any time.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.certificates._deciders import Decider
from sparring.certificates.limits import SearchLimits
from sparring.certificates.simulator import Simulator
from sparring.errors import RefusedError, RequestError

__all__ = ["CertifiedSeed", "certify_seed"]

Observation = NDArray[np.generic]


@dataclass(frozen=True)
class CertifiedSeed:
    """What is proved of the return from one seed."""

    seed: int
    nominal_return: float | None
    """Without attack; None where the first rollout did not end within the limit of steps."""
    least_return: float | None
    """No attacker within the budget brings the return below; None where nothing is proved."""
    least_found: float | None
    """Least return of a branch that was followed to its end: more than this cannot be proved with these bounds."""
    rollout: int
    """Steps of the rollout without attack."""
    certified: int
    """Those of them whose action is certified."""
    branches: int
    """Branches that were followed to their end, the rollout without attack among them."""
    merged: int
    """Branches that led to a state that another had reached with no more reward."""
    left_open: int
    """Branches that may lead to less than `least_found` and were not followed."""
    steps: int
    """Simulator steps taken."""
    unknown: str | None = None
    """Why nothing could be proved at all."""


def certify_seed(simulator: Simulator, decider: Decider, seed: int, limits: SearchLimits) -> CertifiedSeed:
    """Certify the least return of one seed.

    Raises:
        RequestError: the simulator gives a reward below `least_reward`.
        ArithmeticError: it gives a reward that is no finite number, or the bounds are not sound.
    """
    search = _Search(simulator, decider, limits)
    try:
        search.run(seed)
    except RefusedError as error:
        return search.result(seed, str(error))
    return search.result(seed, None)


@dataclass(frozen=True, order=True)
class _Branch:
    """A state with an action that is to be taken in it; the least bound first, the latest of equals."""

    bound: float
    order: int
    action: int = field(compare=False)
    point: _Point = field(compare=False)


@dataclass(frozen=True, eq=False)
class _Point:
    """A state in which the victim decides."""

    saved: Any
    observation: Observation
    memory: Any
    after: Any
    """Memory after the step."""
    own: int
    """What the victim does without attack."""
    gathered: float
    depth: int


@dataclass(frozen=True, eq=False)
class _Record:
    """A step of the first rollout."""

    observation: Observation
    reward: float
    done: bool


class _Search:
    def __init__(self, simulator: Simulator, decider: Decider, limits: SearchLimits) -> None:
        self.simulator, self.decider, self.limits = simulator, decider, limits
        self.open: list[_Branch] = []
        self.reached: dict[Hashable, float] = {}
        self.least = math.inf
        self.nominal: float | None = None
        self.most = limits.steps
        self.steps = self.branches = self.merged = self.rollout = self.certified = self.made = 0

    def run(self, seed: int) -> None:
        """Follow the rollout without attack, see that it repeats, then branch."""
        first = np.asarray(self.simulator.reset(seed))
        records: list[_Record] = []
        points, ended = self._walk(first, self.decider.begin(), 0.0, 0, self.limits.steps // 2, records)
        self._check_repeats(seed, first, points, records)
        if ended:
            self.nominal = self.least
        possible = self._branch(points, ended)
        self.rollout, self.certified = len(points), int((possible.sum(axis=1) == 1).sum()) if len(points) else 0
        if self.limits.branching is not None:
            self.most = min(self.most, self.steps + self.limits.branching)
        while self.open and self.open[0].bound < self.least and self.steps < self.most:
            self._follow(heapq.heappop(self.open))

    def _follow(self, branch: _Branch) -> None:
        """Take the branch's action, then act as the victim does."""
        point = branch.point
        self.simulator.load(point.saved)
        observation, reward, done = self._step(branch.action)
        gathered = point.gathered + self.limits.gamma**point.depth * reward
        depth = point.depth + 1
        if done or depth == self.limits.horizon:
            self._end(gathered)
            return
        points, ended = self._walk(observation, point.after, gathered, depth, self.limits.segment, None)
        self._branch(points, ended)

    def _walk(
        self,
        observation: Observation,
        memory: Any,
        gathered: float,
        depth: int,
        length: int,
        records: list[_Record] | None,
    ) -> tuple[list[_Point], bool]:
        """Act without attack from the simulator's state on.

        Returns:
            the states in which the victim decided, and whether the last one's own action needs no branch, because
            it was followed to the end or to a state reached before.
        """
        points: list[_Point] = []
        while True:
            if self._seen(observation, gathered, depth):
                self.merged += 1
                return points, True
            action, after = self.decider.act(observation, memory)
            points.append(_Point(self.simulator.save(), observation, memory, after, action, gathered, depth))
            if len(points) > length or self.steps >= self.most:
                return points, False
            observation, reward, done = self._step(action)
            if records is not None:
                records.append(_Record(observation, reward, done))
            gathered, depth, memory = gathered + self.limits.gamma**depth * reward, depth + 1, after
            if done or depth == self.limits.horizon:
                self._end(gathered)
                return points, True

    def _branch(self, points: list[_Point], ended: bool) -> NDArray[np.bool_]:
        """Open a branch for each possible action that was not followed; all states are bounded in one call."""
        if not points:
            return np.zeros((0, 0), dtype=np.bool_)
        possible = self.decider.possible(
            [point.observation for point in points], [point.memory for point in points], [point.own for point in points]
        )
        for place, (point, row) in enumerate(zip(points, possible, strict=True)):
            followed = ended or place < len(points) - 1
            bound = point.gathered + self.limits.to_go(point.depth)
            for action in np.flatnonzero(row):
                if not (followed and action == point.own):
                    self.made += 1
                    heapq.heappush(self.open, _Branch(bound, -self.made, int(action), point))
        return possible

    def _seen(self, observation: Observation, gathered: float, depth: int) -> bool:
        """Whether this state was reached at the same step with no more reward; remembers it otherwise."""
        print_ = self.simulator.fingerprint() if self.decider.mergeable else None
        if print_ is None:
            return False
        key = (depth, print_, np.asarray(observation).tobytes())
        if self.reached.get(key, math.inf) <= gathered:
            return True
        self.reached[key] = gathered
        return False

    def _step(self, action: int) -> tuple[Observation, float, bool]:
        observation, reward, done = self.simulator.step(action)
        self.steps += 1
        given, least = float(reward), self.limits.least_reward
        if not math.isfinite(given):
            raise ArithmeticError(f"certificate: the simulator gives the reward {given}")
        if least is not None and given < least:
            raise RequestError(f"search: least_reward is {least!r}, but the simulator gives a reward of {given!r}")
        return np.asarray(observation), given, bool(done)

    def _end(self, gathered: float) -> None:
        self.branches += 1
        self.least = min(self.least, gathered)

    def _check_repeats(self, seed: int, first: Observation, points: list[_Point], records: list[_Record]) -> None:
        """Play the first rollout again: its second half from a saved state, then its first half from the seed."""
        half = len(records) // 2
        # Setting back comes first, from the end of the rollout, so that whatever was not saved is not as it was.
        self.simulator.load(points[half].saved)
        same = self._repeats(points[half:], records[half:])
        same = _same(first, np.asarray(self.simulator.reset(seed))) and same
        if not (self._repeats(points[:half], records[:half]) and same):
            raise RefusedError(
                "certificate: the simulator does not repeat itself when it is reset and set back, so nothing is proved"
            )

    def _repeats(self, points: list[_Point], records: list[_Record]) -> bool:
        same = True
        for point, record in zip(points, records, strict=False):
            observation, reward, done = self._step(point.own)
            same = same and _same(record.observation, observation)
            same = same and (reward, done) == (record.reward, record.done)
        return same

    def result(self, seed: int, unknown: str | None) -> CertifiedSeed:
        """What is proved so far."""
        below = [branch.bound for branch in self.open if branch.bound < self.least]
        proved = min([self.least, *below])
        known = unknown is None and math.isfinite(proved)
        return CertifiedSeed(
            seed,
            self.nominal,
            proved if known else None,
            self.least if math.isfinite(self.least) else None,
            self.rollout,
            self.certified,
            self.branches,
            self.merged,
            len(below),
            self.steps,
            unknown,
        )


def _same(one: Observation, other: Observation) -> bool:
    return np.array_equal(one, other, equal_nan=np.asarray(one).dtype.kind == "f")
