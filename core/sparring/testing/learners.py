"""Learners: they train both sides in the kit's worlds, and are held to `sparring.simulated.learner.Learner`."""

from __future__ import annotations

import json
import pickle
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np

from sparring.access import Ball, ChargedAccess, ObservationAccess
from sparring.acting import Acting
from sparring.attack_game import Side, StepInfo
from sparring.budgets import LP_RADIUS
from sparring.errors import RequestError
from sparring.policy import Policy
from sparring.registry import Entry
from sparring.simulated.attack_game import SimulatedAttackGame
from sparring.simulated.learner import Learner, called, door_of
from sparring.testing.check import CheckFailure, CheckSkipped
from sparring.testing.drifting import drift_choices, drift_push
from sparring.testing.global_state import watched
from sparring.testing.sampled_arena import pilot_for

__all__ = ["LEARNER_CHECKS", "LearnerBench"]

SIZE = 8
"""Episodes side by side."""
SEEDS = tuple(range(300, 340))
"""Of the episodes that tell whether something was learned."""
STEPS = 10_000
"""Simulator steps in which something has to be learned."""
TEACHING = "follow sparring.simulated.learner.Learner"


@dataclass(frozen=True)
class Lesson:
    """One side of an attack game to be trained."""

    label: str
    duel: SimulatedAttackGame
    side: Side
    against: Policy

    def taught(self, learner: Learner, updates: int, seed: int = 0) -> tuple[Any, list[StepInfo], int]:
        """State after some updates, what it says of them, and how many steps the world counted."""
        state = learner.start(*self.duel.spaces(self.side), seed)
        return self.more(learner, state, updates, np.random.default_rng(seed))

    def more(
        self, learner: Learner, state: Any, updates: int, rng: np.random.Generator
    ) -> tuple[Any, list[StepInfo], int]:
        """Updates of a state that there is, in a world of its own."""
        duel, told = self.duel.lent(), []
        view = duel.view(self.side, self.against, SIZE)
        try:
            for _ in range(updates):
                state, info = learner.update(state, view, rng=rng)
                told.append(info)
        finally:
            view.close()
        return state, told, duel.steps_made

    def acts(self, policy: Policy) -> bytes:
        """What a policy does to a few episodes, bit for bit."""
        victim, attacker = (policy, None) if self.side is Side.VICTIM else (self.against, policy)
        return self.duel.lent().in_batches(SIZE).play(victim, attacker, SEEDS[:SIZE]).returns.tobytes()


def _called(make: Callable[..., object], name: str, options: Mapping[str, Any]) -> object:
    return called(make, options, name)


def lessons() -> list[Lesson]:
    """A victim and an attacker on vector actions, and a victim on choices; whoever trains takes time."""
    found = []
    for maker, side in ((drift_push, Side.VICTIM), (drift_push, Side.ATTACKER), (drift_choices, Side.VICTIM)):
        game = maker()
        seen = ChargedAccess(ObservationAccess(ball=Ball()), LP_RADIUS.budget(0.4), "kit")
        duel = game.attack_game([seen], None)
        assert isinstance(duel, SimulatedAttackGame)
        against = pilot_for(game) if side is Side.ATTACKER else duel.draw(Side.ATTACKER, np.random.default_rng(1))
        found.append(Lesson(f"{game.spec}, {side}", duel, side, against))
    return found


@dataclass(frozen=True, eq=False)
class LearnerBench:
    """Lets one learner learn."""

    name: str
    make: Callable[[Mapping[str, Any]], object]
    """Makes it from options."""
    place: str
    expected: Mapping[str, str]
    """Checks that it knowingly fails, with the reason."""

    @classmethod
    def of(cls, entry: Entry) -> LearnerBench:
        """Of an announced learner."""
        return cls.of_maker(door_of(entry), entry.name, entry.label)

    @classmethod
    def of_maker(cls, make: Callable[..., object], name: str = "", place: str = "") -> LearnerBench:
        """Of a callable that makes one."""
        known = name or getattr(make, "__name__", "learner")
        where = place or f"{make.__module__} ({known})"
        return cls(known, partial(_called, make, known), where, getattr(make, "expected_failures", {}))

    @cached_property
    def learner(self) -> Learner:
        """With its own settings."""
        made = self.make({})
        if not isinstance(made, Learner):
            raise self.failure(f"it makes {made!r}, which lacks methods of a learner", TEACHING)
        return made

    @cached_property
    def lessons(self) -> list[Lesson]:
        """Those whose spaces it takes.

        Raises:
            CheckSkipped: it takes none of them.
        """
        taken = []
        for lesson in lessons():
            try:
                self.learner.start(*lesson.duel.spaces(lesson.side), 0)
            except RequestError:
                continue
            taken.append(lesson)
        if not taken:
            raise CheckSkipped("it takes none of the spaces of the kit's worlds")
        return taken

    def failure(self, cause: str, remedy: str, where: str = "") -> CheckFailure:
        """What to raise for a promise that is not kept."""
        return CheckFailure(cause, f"{self.place}, {where}" if where else self.place, remedy)


def learner_is_made(bench: LearnerBench) -> None:
    """It is made without options, refuses one that it does not have, and starts on some world of the kit."""
    assert bench.lessons  # made, and started on each
    try:
        bench.make({"no_such_option": 1})
    except RequestError:
        pass
    else:
        raise bench.failure("the option no_such_option=1 is accepted", "declare `Options` beside what makes it")


def learner_hands_out_policies(bench: LearnerBench) -> None:
    """Its snapshots act as the side that they were trained for, and tell of steps in whole numbers."""
    for lesson in bench.lessons:
        state, told, _ = lesson.taught(bench.learner, 1)
        policy = bench.learner.policy(state)
        fault = ""
        if not isinstance(policy, Acting):
            fault = f"its policy is {policy!r}, which does not act"
        elif not all(isinstance(info, StepInfo) and type(info.steps) is int for info in told):
            fault = f"an update tells {told[-1]!r}"
        if fault:
            raise bench.failure(fault, TEACHING, lesson.label)
        lesson.duel.check_policy(policy, lesson.side)
        lesson.acts(policy)


def learner_counts_its_steps(bench: LearnerBench) -> None:
    """The steps that an update tells are those that its world has made."""
    for lesson in bench.lessons:
        _, told, made = lesson.taught(bench.learner, 2)
        said = sum(info.steps for info in told)
        if said != made:
            raise bench.failure(
                f"it says {said} steps, its world made {made}",
                "count every step of every running episode",
                lesson.label,
            )


def learner_leaves_global_randomness_alone(bench: LearnerBench) -> None:
    """The global random state of Python, numpy and (where it is loaded) torch is untouched."""
    for lesson in bench.lessons:
        lesson.taught(bench.learner, 1)  # some libraries draw when they are first imported
        with watched(25) as touched:
            lesson.taught(bench.learner, 1)
        if touched:
            raise bench.failure(
                f"it draws from, or seeds, the global random state of {' and '.join(touched)}",
                "draw from the generator that is passed in, and from the seed of `start`",
                lesson.label,
            )


def learner_obeys_its_seed(bench: LearnerBench) -> None:
    """The same seed gives the same policy, bit for bit, and another seed begins elsewhere or learns otherwise."""
    for lesson in bench.lessons:
        one, again, other = (bench.learner.policy(lesson.taught(bench.learner, 1, seed)[0]) for seed in (0, 0, 1))
        if _written(one) != _written(again):
            raise bench.failure("two runs with one seed differ", "take all chance from seed and rng", lesson.label)
        if _written(one) == _written(other):
            raise bench.failure(
                "runs with different seeds are the same", "take all chance from seed and rng", lesson.label
            )


def learner_leaves_states_alone(bench: LearnerBench) -> None:
    """An update leaves the state that it is given as it was, and a snapshot stays what it was when it was taken."""
    for lesson in bench.lessons:
        learner = bench.learner
        state = lesson.taught(learner, 1)[0]
        snapshot = learner.policy(state)
        before = _written(snapshot)
        first, second = (lesson.more(learner, state, 1, np.random.default_rng(7))[0] for _ in range(2))
        if _written(snapshot) != before or _written(learner.policy(state)) != before:
            raise bench.failure(
                "an update changes the state that it was given, or a snapshot", "copy before learning", lesson.label
            )
        if _written(learner.policy(first)) != _written(learner.policy(second)):
            raise bench.failure(
                "two updates of one state, alike in all else, differ", "copy before learning", lesson.label
            )


def learner_saves_whole_states(bench: LearnerBench) -> None:
    """A state that was saved and loaded goes on bit for bit, and policies come back from their documents."""
    for lesson in bench.lessons:
        learner = bench.learner
        state = lesson.taught(learner, 1)[0]
        with tempfile.TemporaryDirectory() as folder:
            learner.save(state, Path(folder, "state"))
            loaded = learner.load(Path(folder, "state"))
        ends = [
            _written(learner.policy(lesson.more(learner, each, 1, np.random.default_rng(8))[0]))
            for each in (state, loaded)
        ]
        policy = learner.policy(state)
        again = learner.restore(json.loads(_written(policy)))
        arrived = pickle.loads(pickle.dumps(policy))
        faults = {
            "a state that was saved goes on otherwise than the one that was not": ends[0] != ends[1],
            "a policy comes back changed from its document": _changed(lesson, policy, again),
            "a policy that was pickled arrives changed": _changed(lesson, policy, arrived),
        }
        for fault, found in faults.items():
            if found:
                raise bench.failure(fault, "keep every number unrounded, the optimiser's among them", lesson.label)


def learner_learns(bench: LearnerBench) -> None:
    """Within the kit's steps victims that it trains earn more than at their start, and attackers take more."""
    for lesson in bench.lessons:
        learner, duel = bench.learner, lesson.duel.lent()
        state = learner.start(*duel.spaces(lesson.side), 0)
        before = _earned(lesson, learner.policy(state))
        view, rng, spent = duel.view(lesson.side, lesson.against, SIZE), np.random.default_rng(0), 0
        while spent < STEPS:
            state, info = learner.update(state, view, rng=rng)
            spent += max(1, info.steps)
        view.close()
        gained = _earned(lesson, learner.policy(state)) - before
        # On the same episodes, in pairs: two standard errors are what chance alone hardly gives.
        if gained.mean() <= 2 * gained.std(ddof=1) / len(gained) ** 0.5:
            raise bench.failure(
                f"after {spent} steps its own return has changed by {gained.mean():.4g} on average",
                "raise the rewards of the world it is handed, whichever side it trains",
                lesson.label,
            )


def _earned(lesson: Lesson, policy: Policy) -> np.ndarray[Any, np.dtype[np.float64]]:
    """The side's own returns over the kit's episodes."""
    pair = (policy, lesson.against) if lesson.side is Side.VICTIM else (lesson.against, policy)
    returns = lesson.duel.lent().play(*pair, SEEDS).returns
    return returns if lesson.side is Side.VICTIM else -returns


def _written(policy: Policy) -> str:
    return json.dumps(policy.to_document(), allow_nan=False)


def _changed(lesson: Lesson, policy: Policy, again: Policy) -> bool:
    return _written(policy) != _written(again) or lesson.acts(policy) != lesson.acts(again)


LEARNER_CHECKS: tuple[Callable[[LearnerBench], None], ...] = (
    learner_is_made,
    learner_hands_out_policies,
    learner_leaves_global_randomness_alone,
    learner_obeys_its_seed,
    learner_counts_its_steps,
    learner_leaves_states_alone,
    learner_saves_whole_states,
    learner_learns,
)
