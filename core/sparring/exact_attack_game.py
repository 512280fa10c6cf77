"""What the three exact forms share: learners that are one array, policies that are one table."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.array_files import load_arrays, save_arrays
from sparring.attack_game import AttackGame, LearnerState, Side
from sparring.errors import RequestError, article, nearest
from sparring.policy import Mixture, Policy
from sparring.streams import stream

__all__ = ["ExactAttackGame"]


class ExactAttackGame(AttackGame):
    """An attack game whose learners' parameters are one array."""

    learners: ClassVar[tuple[str, ...]] = ("direct",)
    """Learners this form has, by name."""

    @abstractmethod
    def parameters(self, policy: Policy, side: Side) -> NDArray[np.float64]:
        """The array of a policy of one side, once it is seen to fit.

        Raises:
            RequestError: it is of another game, seat or form; the line says which.
        """

    def resolved(self, given: object, side: Side) -> Policy:
        """A victim's policy from a spec or data, so that direct calls take what `sparring.evaluate` takes.

        Raises:
            RequestError: it is a policy of another form, or no policy of the attacker.
        """
        from sparring.policy_specs import resolve_policy

        if isinstance(given, Policy):
            raise RequestError(
                f"{side}: a {given.form} policy, but {self.game.spec} needs {article(self.game.form)} one"
            )
        if side is Side.ATTACKER:
            raise RequestError(f"attacker: {type(given).__name__} is no policy; take one that an oracle found")
        return resolve_policy(given, self.game, self.victim_player)

    @abstractmethod
    def restore_single(self, document: Mapping[str, Any], side: Side) -> Policy:
        """Make a single policy of one side again from what its `to_document` gave."""

    def start(self, side: Side, seed: int, learner: str = "direct") -> LearnerState:
        """Start from a random policy (rethinking, algorithms 1 and 2, line 1)."""
        if learner not in self.learners:
            raise RequestError(f"learner {learner!r} on the {self.game.form} form: {nearest(learner, self.learners)}")
        drawn = self.draw(side, stream(seed, "start", side))
        return LearnerState(side, self.parameters(drawn, side), learner=learner)

    def check_policy(self, policy: Policy, side: Side) -> Policy:
        """Return the policy, or mixture, when all of it fits."""
        for part in policy.policies if isinstance(policy, Mixture) else (policy,):
            self.parameters(part, side)
        return policy

    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        """A policy or a mixture, bit for bit."""
        if document["kind"] == "mixture":
            parts = tuple(self.restore(part, side) for part in document["policies"])
            return Mixture(parts, tuple(document["weights"]))
        return self.check_policy(self.restore_single(document, side), side)

    def save_state(self, state: LearnerState, path: Path) -> None:
        """Write the learner's array."""
        save_arrays(state, {"parameters": state.parameters}, path)

    def load_state(self, path: Path) -> LearnerState:
        """Read the learner's array."""
        state, arrays = load_arrays(path, ("parameters",))
        return replace(state, parameters=arrays["parameters"])
