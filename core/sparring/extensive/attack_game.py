"""Attack games on trees: every operation exact, in passes over compiled arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from sparring.access import ChargedAccess
from sparring.attack_game import Capabilities, Effort, LearnerState, Optimum, Side, StepInfo
from sparring.errors import RequestError
from sparring.exact_attack_game import ExactAttackGame
from sparring.exploitability import Estimate, Interval
from sparring.extensive.charge import ChargedTree, charge
from sparring.extensive.engine import Engine, behaviour_of, plan_of, project, uniform
from sparring.extensive.game import ExtensiveGame, PlayerTree, same_tree
from sparring.extensive.layout import DuelLayout
from sparring.extensive.policy import TreePolicy
from sparring.policy import Mixture, Policy

__all__ = ["ExtensiveAttackGame"]

Floats = NDArray[np.float64]


class ExtensiveAttackGame(ExactAttackGame):
    """An extensive-form game under attack.

    Learners, by name: `direct` follows the true gradient in the behaviour's direct parameters, which is weighted by
    the player's own reach; `counterfactual` leaves that weight out, so that seldom reached information sets learn as
    fast as others.
    """

    learners: ClassVar[tuple[str, ...]] = ("direct", "counterfactual")

    def __init__(self, game: ExtensiveGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> None:
        self.game: ExtensiveGame = game
        self.charged = tuple(charged)
        self.victim_player: int = 0 if victim_player is None else victim_player
        self.tree: ChargedTree = charge(game, self.charged, self.victim_player)
        layout = DuelLayout.build(self.tree.game, self.victim_player)
        self.engine = Engine(layout, self.tree.control, self.tree.benign)
        self._optimum: Optimum | None = None

    @property
    def can(self) -> Capabilities:
        """Everything, exactly."""
        both = frozenset(Side)
        return Capabilities(True, both, both, both, both, "realisation-plan", scores_average=True, known_optimum=True)

    def freeze(self, state: LearnerState) -> TreePolicy:
        """The learner's behaviour as a policy."""
        return self._policy(state.parameters, state.side)

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[LearnerState, StepInfo]:
        """Gradient step with projection onto the simplex of every information set."""
        gradient = self.gradient(state.side, self.freeze(state), against, reach=state.learner == "direct")
        sign = 1.0 if state.side is Side.VICTIM else -1.0
        moved = project(self._tree(state.side), state.parameters + sign * rate * gradient)
        updated = replace(state, parameters=moved, updates=state.updates + 1)
        return updated, StepInfo(1, float(np.linalg.norm(gradient)))

    def gradient(self, side: Side, policy: Policy, against: Policy, *, reach: bool = True) -> Floats:
        """Gradient of the victim's return in one side's behaviour, [sequences]; 0 for the empty sequence.

        Args:
            side: whose parameters.
            policy: that side's policy.
            against: the other side's policy or mixture.
            reach: whether to weight by the side's own probability of getting there, as the true gradient is.
        """
        own, other = self.parameters(policy, side), self.parameters(against, side.other)
        victim, attacker = (own, other) if side is Side.VICTIM else (other, own)
        found = self.engine.gradients(victim, attacker)
        if reach:
            return found.victim if side is Side.VICTIM else found.attacker
        values = found.victim_values if side is Side.VICTIM else self.tree.part * found.attacker_values
        values[0] = 0.0
        return values

    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[LearnerState, Estimate]:
        """Best response in one pass from the leaves; ties go to the first action."""
        if side is Side.ATTACKER:
            value, behaviour = self.engine.attacker_response(self.parameters(against, Side.VICTIM))
        else:
            value, behaviour = self.engine.victim_response(self._deployed(against))
        return LearnerState(side, behaviour), Estimate(value, steps=1)

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> TreePolicy:
        """The behaviour of the averaged realisation plans, which plays like the mixture drawn once an episode."""
        new = self._own_plan(policy, side)
        plan = new if average is None else (1 - weight) * self._own_plan(average, side) + weight * new
        return self._policy(self._behaviour_of(plan, side), side)

    def measure(
        self,
        victim: Policy,
        attacker: Policy | None = None,
        rng: np.random.Generator | None = None,
        episodes: int | None = None,
    ) -> Estimate:
        """The victim's expected return, exact."""
        own = self.parameters(victim, Side.VICTIM)
        if attacker is not None:
            return Estimate(self.engine.value(own, self._deployed(attacker)), steps=1)
        return Estimate(self._unattacked_engine.value(own, self.tree.benign_or_refuse()), steps=1)

    def draw(self, side: Side, rng: np.random.Generator) -> TreePolicy:
        """Uniform over the simplex of each information set."""
        tree = self._tree(side)
        weights = rng.exponential(size=tree.sequences)
        starts = tree.offset[:-1].astype(np.int64)
        totals = np.add.reduceat(weights, starts) if len(starts) else np.zeros(0)
        return self._policy(np.concatenate([np.ones(1), weights[1:] / np.repeat(totals, tree.sizes)]), side)

    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """One compiled call: plan, sparse product, pass from the leaves."""
        found = self.engine.exploitability(self.parameters(victim, Side.VICTIM))
        return Interval(found, found, exact=True, method="bottom-up best response")

    def optimum(self) -> Optimum:
        """The sequence-form linear programme under the budget's constraint, solved once."""
        if self._optimum is None:
            from sparring.extensive.linear_program import solve_linear_program

            found = solve_linear_program(self.engine)
            self._optimum = Optimum(found.exploitability, self._policy(found.victim, Side.VICTIM), "lp")
        return self._optimum

    def least_return(self) -> float:
        """The victim's least payoff of any history."""
        return self.game.payoff_range[self.victim_player][0]

    def restore_single(self, document: Mapping[str, Any], side: Side) -> TreePolicy:
        """A behaviour."""
        return self.game.make_policy(document, self._seat(side))

    def policy_of_behaviour(self, behaviour: Floats, side: Side) -> TreePolicy:
        """A side's policy from its behaviour, [sequences]."""
        return self._policy(behaviour, side)

    def policy_of_plan(self, plan: Floats, side: Side) -> TreePolicy:
        """A side's policy from its realisation plan, [sequences]; uniform where the plan never comes."""
        return self._policy(self._behaviour_of(plan, side), side)

    def _seat(self, side: Side) -> int:
        return self.victim_player if side is Side.VICTIM else 1 - self.victim_player

    def _tree(self, side: Side) -> PlayerTree:
        return self.game.trees[self._seat(side)]

    def _policy(self, behaviour: Floats, side: Side) -> TreePolicy:
        return TreePolicy(behaviour, self._tree(side), self._seat(side))

    @cached_property
    def _unattacked_engine(self) -> Engine:
        """The game as it was, where a per-episode coin has changed the payoffs."""
        if self.tree.unattacked is self.tree.game:
            return self.engine
        return Engine(DuelLayout.build(self.tree.unattacked, self.victim_player))

    def parameters(self, policy: Policy, side: Side) -> Floats:
        """The behaviour that a side chooses, before the budget is charged, [sequences].

        Of a mixture drawn once an episode: the behaviour that plays like it.
        """
        if isinstance(policy, Mixture):
            if side is Side.VICTIM:
                return self._behaviour_of(self._own_plan(policy, side), side)
            return self.tree.proposed(self._deployed(policy))
        if not isinstance(policy, TreePolicy):
            return self.parameters(self.resolved(policy, side), side)
        if policy.player != self._seat(side):
            raise RequestError(f"{side}: policy for seat {policy.player}, but it sits in seat {self._seat(side)}")
        tree = self._tree(side)
        if policy.tree is not tree and not same_tree(policy.tree, tree):
            raise RequestError(f"{side}: policy of another game than {self.game.spec}, its information sets differ")
        return policy.probabilities

    def _deployed(self, attacker: Policy) -> Floats:
        """What the attacker's seat really does, [sequences]: what the budget leaves of the proposal."""
        if not isinstance(attacker, Mixture):
            return self.tree.deployed(self.parameters(attacker, Side.ATTACKER))
        plans = [plan_of(self.tree.attacker, self._deployed(part)) for part in attacker.policies]
        mixed = np.asarray(np.asarray(attacker.weights) @ np.asarray(plans))
        return self._behaviour_of(mixed, Side.ATTACKER)

    def _own_plan(self, policy: Policy, side: Side) -> Floats:
        """Realisation plan before the budget is charged; of a mixture, the average."""
        if isinstance(policy, Mixture):
            parts = [self._own_plan(part, side) for part in policy.policies]
            return np.asarray(np.asarray(policy.weights) @ np.asarray(parts))
        return plan_of(self._tree(side), self.parameters(policy, side))

    def _behaviour_of(self, plan: Floats, side: Side) -> Floats:
        """The behaviour of a realisation plan; uniform where the plan never comes."""
        tree = self._tree(side)
        return behaviour_of(tree, plan, uniform(tree))
