"""Attack games on matrices: once the budget is charged, a matrix again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.access import ChargedAccess, ObservationAccess, OpponentAccess
from sparring.attack_game import Capabilities, Effort, LearnerState, Optimum, Side, StepInfo
from sparring.errors import RefusedError, RequestError
from sparring.exact_attack_game import ExactAttackGame
from sparring.exploitability import Estimate, Interval
from sparring.markov.channels import effective_game
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.matrix.game import MatrixGame
from sparring.matrix.policy import MatrixPolicy
from sparring.policy import Mixture, Policy
from sparring.projection import project_simplex

__all__ = ["MatrixAttackGame"]

Floats = NDArray[np.float64]


class MatrixAttackGame(ExactAttackGame):
    """A matrix game under attack: `payoff[a, b]` with the budget charged into it."""

    def __init__(self, game: MatrixGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> None:
        self.game: MatrixGame = game
        self.charged = tuple(charged)
        self.victim_player = victim_player
        self.payoff: Floats = _effective_payoff(game, self.charged, victim_player)
        """The victim's return for its action and the attacker's option, [A, B]."""
        self.payoff.flags.writeable = False  # oracles are handed this attack game, and must not widen it

    @property
    def can(self) -> Capabilities:
        """Everything, exactly."""
        both = frozenset(Side)
        return Capabilities(True, both, both, both, both, "realisation-plan", scores_average=True, known_optimum=True)

    def freeze(self, state: LearnerState) -> MatrixPolicy:
        """The learner's strategy as a policy."""
        return MatrixPolicy(state.parameters, self.victim_player if state.side is Side.VICTIM else None)

    def gradient(self, side: Side, against: Policy) -> Floats:
        """Gradient of the victim's return in one side's strategy: the payoff of each of its actions."""
        other = self.parameters(against, side.other)
        return self.payoff @ other if side is Side.VICTIM else other @ self.payoff

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[LearnerState, StepInfo]:
        """Projected gradient step (rethinking, appendix C)."""
        gradient = self.gradient(state.side, against)
        sign = 1.0 if state.side is Side.VICTIM else -1.0
        moved = project_simplex(state.parameters + sign * rate * gradient)
        return replace(state, parameters=moved, updates=state.updates + 1), StepInfo(1, float(np.linalg.norm(gradient)))

    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[LearnerState, Estimate]:
        """The best pure action; ties go to the lowest."""
        returns = self.gradient(side, against)
        best = int(returns.argmax() if side is Side.VICTIM else returns.argmin())
        return LearnerState(side, np.eye(len(returns))[best]), Estimate(float(returns[best]), steps=1)

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> MatrixPolicy:
        """The average strategy, which plays exactly like the mixture drawn once an episode."""
        new = self.parameters(policy, side)
        table = new if average is None else (1 - weight) * self.parameters(average, side) + weight * new
        return MatrixPolicy(table, self.victim_player if side is Side.VICTIM else None)

    def measure(
        self,
        victim: Policy,
        attacker: Policy | None = None,
        rng: np.random.Generator | None = None,
        episodes: int | None = None,
    ) -> Estimate:
        """`x^T P y`, exact."""
        own = self.parameters(victim, Side.VICTIM)
        if attacker is None:
            return Estimate(float(own @ self._unattacked()), steps=1)
        return Estimate(float(own @ self.payoff @ self.parameters(attacker, Side.ATTACKER)), steps=1)

    def draw(self, side: Side, rng: np.random.Generator) -> MatrixPolicy:
        """Uniform over the simplex."""
        size = self.payoff.shape[0 if side is Side.VICTIM else 1]
        return MatrixPolicy(rng.dirichlet(np.ones(size)), self.victim_player if side is Side.VICTIM else None)

    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """The attacker's best column, exact."""
        worst = float(self.gradient(Side.ATTACKER, victim).min())
        return Interval(-worst, -worst, exact=True, method="best column")

    def optimum(self) -> Optimum:
        """The most robust strategy, by linear programme."""
        from sparring.matrix.linear_program import max_min

        strategy, value = max_min(self.payoff)
        return Optimum(-value, MatrixPolicy(strategy, self.victim_player), "lp")

    def least_return(self) -> float:
        """The victim's least payoff."""
        return float(self.game.for_seat(self.victim_player).min())

    def restore_single(self, document: Mapping[str, Any], side: Side) -> MatrixPolicy:
        """A strategy."""
        return MatrixPolicy(np.asarray(document["probabilities"], dtype=np.float64), document["player"])

    def parameters(self, policy: Policy, side: Side) -> Floats:
        """The policy's array, once it is seen to fit; of a mixture, the average."""
        if isinstance(policy, Mixture):
            parts = [self.parameters(part, side) for part in policy.policies]
            return np.asarray(np.asarray(policy.weights) @ np.asarray(parts))
        size = self.payoff.shape[0 if side is Side.VICTIM else 1]
        if not isinstance(policy, MatrixPolicy):
            return self.parameters(self.resolved(policy, side), side)
        if len(policy.probabilities) != size:
            found = len(policy.probabilities)
            raise RequestError(f"{side}: policy with {found} actions does not fit {self.game.spec}, expected {size}")
        if policy.player is not None and side is Side.VICTIM and policy.player != self.victim_player:
            raise RequestError(f"victim: policy for seat {policy.player}, but the victim sits in {self.victim_player}")
        return policy.probabilities

    def _unattacked(self) -> Floats:
        """The victim's return for each of its actions at budget 0, [A]."""
        idle = [replace(part, budget=part.budget.kind.budget(0)) for part in self.charged]
        return _effective_payoff(self.game, idle, self.victim_player)[:, 0]


def _effective_payoff(game: MatrixGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> Floats:
    """Charge the budgets as on a Markov game with one state that ends at once."""
    payoff = game.for_seat(victim_player)
    for part in charged:
        if isinstance(part.access, ObservationAccess):
            raise RefusedError(f"{part.threat} on {game.spec}: nothing is observed on the matrix form")
    rows = payoff.size
    once = MarkovGame(
        spec=game.spec,
        shape=(1, *payoff.shape),
        transition=sparse.csr_array(np.ones((rows, 1))),
        reward=np.stack([payoff[None], -payoff[None]]),
        rho=np.ones(1),
        gamma=0.0,
    )
    tables = effective_game(once, [_as_markov(part) for part in charged], None)
    # A coin tossed once an episode and one tossed at every decision are the same where there is one decision;
    # the doubled state is averaged by its start distribution.
    legal = tables.reward[:, tables.legal[0]]
    return np.asarray(np.einsum("s,sba->ab", tables.rho, legal))


def _as_markov(part: ChargedAccess) -> ChargedAccess:
    access = part.access
    if isinstance(access, OpponentAccess) and isinstance(access.benign, MatrixPolicy):
        return replace(part, access=replace(access, benign=MarkovPolicy(access.benign.probabilities[None])))
    return part
