"""Attack games on tabular Markov games: every operation exact."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import ChargedAccess, ObservationAccess
from sparring.attack_game import Capabilities, Effort, LearnerState, Optimum, Side, StepInfo
from sparring.errors import RefusedError, RequestError
from sparring.exact_attack_game import ExactAttackGame
from sparring.exploitability import Estimate, Interval
from sparring.markov import evaluation
from sparring.markov.channels import EffectiveGame, effective_game
from sparring.markov.game import MarkovGame
from sparring.markov.policy import MarkovPolicy
from sparring.policy import Mixture, Policy
from sparring.projection import project_simplex

if TYPE_CHECKING:
    from sparring.bounds import BoundBackend
    from sparring.certificate import Certificate

__all__ = ["MarkovAttackGame"]

Floats = NDArray[np.float64]

POMDP = "the victim does not see the state, so its best response depends on the past (thesis, lemma 6.2.8)"
COIN = "the victim is not told how the coin fell, so its best response depends on the past"
MIXED = "a mixture drawn once an episode makes the best response depend on the past"


class MarkovAttackGame(ExactAttackGame):
    """A Markov game under attack, with the budget charged into its tables."""

    def __init__(self, game: MarkovGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> None:
        self.game: MarkovGame = game
        self.charged = tuple(charged)
        self.victim_player = victim_player
        self.effective: EffectiveGame = effective_game(game, self.charged, victim_player)
        for array in (self.effective.legal, self.effective.reward, self.effective.rho):
            array.flags.writeable = False  # oracles are handed this attack game, and must not widen it
        self._nominal: EffectiveGame | None = None
        self._optimum: Optimum | None = None

    @property
    def sees_state(self) -> bool:
        """Whether the victim observes the true state, so that this is a Markov game (lemma D.1)."""
        return self.effective.observe is None

    @property
    def can(self) -> Capabilities:
        """Exact values; a victim's response only where it sees the state."""
        attacker, both = frozenset({Side.ATTACKER}), frozenset(Side)
        response = both if self.sees_state else attacker
        why = {"respond:mixture": MIXED}
        if not self.sees_state:
            shown = any(isinstance(part.access, ObservationAccess) for part in self.charged)
            why["respond:victim"] = POMDP if shown else COIN
            why["optimum"] = "no saddle point is known" + (" (thesis, theorem 6.2.6)" if shown else "")
        return Capabilities(
            exact_value=True,
            response=response,
            exact_response=response,
            mixture_response=frozenset(),
            step=both,
            average="episode-mixture",
            scores_average=False,
            known_optimum=self.sees_state,
            why=why,
        )

    def freeze(self, state: LearnerState) -> MarkovPolicy:
        """The learner's table as a policy."""
        return MarkovPolicy(state.parameters, self.victim_player if state.side is Side.VICTIM else None)

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[LearnerState, StepInfo]:
        """Projected gradient step on the direct parameters (rethinking, definition 5.1)."""
        gradient = self.gradient(state.side, self.freeze(state), against)
        sign = 1.0 if state.side is Side.VICTIM else -1.0
        moved = state.parameters + sign * rate * gradient
        if state.side is Side.ATTACKER:
            moved = np.where(self.effective.legal, moved, -np.inf)
        updated = replace(state, parameters=_project_legal(moved), updates=state.updates + 1)
        return updated, StepInfo(1, float(np.linalg.norm(gradient)))

    def gradient(self, side: Side, policy: Policy, against: Policy) -> Floats:
        """True gradient of the victim's return in the direct parameters of one side.

        Returns:
            [observations, A] for the victim, [S, B] for the attacker (0 at options it does not have).
        """
        own = self.parameters(policy, side)
        other = self.parameters(against, side.other)
        victim, attacker = (own, other) if side is Side.VICTIM else (other, own)
        game, gamma = self.effective, self.game.gamma
        states, options, actions = game.shape
        made = evaluation.chain(game, gamma, victim, attacker)
        reach = made.visitation(game.rho) / (1 - gamma)
        quality = game.reward + gamma * (game.transition @ made.values()).reshape(states, options, actions)
        if side is Side.ATTACKER:
            seen = evaluation.sight(game, victim)
            return np.where(game.legal, reach[:, None] * np.einsum("sba,sba->sb", seen, quality), 0.0)
        weighted = (reach[:, None] * attacker)[:, :, None] * quality
        if game.observe is None:
            return np.asarray(weighted.sum(axis=1))
        return np.asarray(game.observe.T @ weighted.reshape(states * options, actions))

    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator | None = None,
    ) -> tuple[LearnerState, Estimate]:
        """Exact best response by policy iteration.

        Raises:
            RefusedError: the victim's response to an observation attack, or a response to a mixture.
        """
        self.require(f"respond:{side}", side in self.can.response)
        self.require("respond:mixture", not isinstance(against, Mixture))
        solve = evaluation.best_attacker if side is Side.ATTACKER else evaluation.best_victim
        table, values = solve(self.effective, self.game.gamma, self.parameters(against, side.other))
        return LearnerState(side, table), Estimate(float(self.effective.rho @ values), steps=1)

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> Policy:
        """A mixture drawn once an episode."""
        if average is None:
            return policy
        parts = average.policies if isinstance(average, Mixture) else (average,)
        shares = average.weights if isinstance(average, Mixture) else (1.0,)
        return Mixture((*parts, policy), (*[(1 - weight) * share for share in shares], weight))

    def measure(
        self,
        victim: Policy,
        attacker: Policy | None = None,
        rng: np.random.Generator | None = None,
        episodes: int | None = None,
    ) -> Estimate:
        """The victim's discounted return from the start distribution, exact."""
        if isinstance(victim, Mixture):
            return _weighted(victim, [self.measure(part, attacker) for part in victim.policies])
        if isinstance(attacker, Mixture):
            return _weighted(attacker, [self.measure(victim, part) for part in attacker.policies])
        rho = self.effective.rho if attacker is not None else self._unattacked().rho
        return Estimate(float(rho @ self.state_values(victim, attacker)), steps=1)

    def state_values(self, victim: Policy, attacker: Policy | None = None) -> Floats:
        """The victim's return from each state of the effective game, [S] (`V` and `V~` of the thesis)."""
        game = self.effective if attacker is not None else self._unattacked()
        table = self.parameters(attacker, Side.ATTACKER) if attacker is not None else _first_option(game)
        return evaluation.chain(game, self.game.gamma, self.parameters(victim, Side.VICTIM), table).values()

    def draw(self, side: Side, rng: np.random.Generator) -> MarkovPolicy:
        """Uniform over the simplex of the legal choices of each row."""
        states, options, actions = self.effective.shape
        shape = (self.effective.observations, actions) if side is Side.VICTIM else (states, options)
        weights = rng.exponential(size=shape)
        if side is Side.ATTACKER:
            weights = weights * self.effective.legal
        table = weights / weights.sum(axis=1, keepdims=True)
        return MarkovPolicy(table, self.victim_player if side is Side.VICTIM else None)

    def visitation(self, victim: Policy, attacker: Policy | None = None) -> Floats:
        """Normalised discounted visitation of the effective game's states (rethinking, definition 2.1), [S].

        After a per-episode coin there are twice as many states; both halves are added up, so that the result
        has one entry for each state of the game.
        """
        game = self.effective if attacker is not None else self._unattacked()
        table = self.parameters(attacker, Side.ATTACKER) if attacker is not None else _first_option(game)
        made = evaluation.chain(game, self.game.gamma, self.parameters(victim, Side.VICTIM), table)
        return np.asarray(made.visitation(game.rho).reshape(-1, self.game.states).sum(axis=0))

    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """Exact, but for mixtures: theirs lies below the average over what is mixed."""
        if isinstance(victim, Mixture):
            parts = [self.exploitability(part).lower for part in victim.policies]
            witness = [self.best_response(part) for part in victim.policies]
            best = min(float(self.measure(victim, attacker)) for attacker in witness)
            upper = float(np.dot(victim.weights, parts))
            return Interval(-best, max(upper, -best), exact=False, method="best responses to the parts")
        _, value = self.respond(Side.ATTACKER, victim)
        return Interval(-float(value), -float(value), exact=True, method="policy iteration")

    def certify(
        self, victim: Policy, backend: BoundBackend, *, episodes: int | None = None, seed: int = 0
    ) -> Certificate:
        """What a bound backend of tables proves, with the exact value beside it and how loose it is.

        Raises:
            RefusedError: the backend bounds networks, or has nothing to say of this threat; the victim is a mixture.
            ArithmeticError: the backend claims more than the exact value.
        """
        from sparring.certificates.tabular import TabularBound, compare_with_exact

        if not isinstance(backend, TabularBound):
            return super().certify(victim, backend, episodes=episodes, seed=seed)
        if isinstance(victim, Mixture):
            raise RefusedError(f"bounds {backend.name} on {self.game.spec}: the victim is a mixture, expected a policy")
        policy = victim if isinstance(victim, MarkovPolicy) else self.resolved(victim, Side.VICTIM)
        self.parameters(policy, Side.VICTIM)  # sees to it that it fits
        assert isinstance(policy, MarkovPolicy)
        return compare_with_exact(self, policy, backend.certify(self, policy))

    def optimum(self) -> Optimum | None:
        """Shapley's value iteration, done once, where the victim sees the state; else None."""
        if self.sees_state and self._optimum is None:
            from sparring.markov.shapley import shapley

            solution = shapley(self)
            self._optimum = Optimum(-solution.value, solution.victim, "shapley")
        return self._optimum

    def least_return(self) -> float:
        """`min r / (1 - gamma)`."""
        return float(self.game.reward[self.victim_player or 0].min() / (1 - self.game.gamma))

    def restore_single(self, document: Mapping[str, Any], side: Side) -> MarkovPolicy:
        """A table."""
        return MarkovPolicy(np.asarray(document["probabilities"], dtype=np.float64), document["player"])

    def parameters(self, policy: Policy, side: Side) -> Floats:
        """The policy's array, once it is seen to fit."""
        states, options, actions = self.effective.shape
        wanted = (self.effective.observations, actions) if side is Side.VICTIM else (states, options)
        if not isinstance(policy, MarkovPolicy):
            return self.parameters(self.resolved(policy, side), side)
        if policy.probabilities.shape != wanted:
            found = list(policy.probabilities.shape)
            raise RequestError(
                f"{side}: policy of shape {found} does not fit {self.game.spec}, expected {list(wanted)}"
            )
        if policy.player is not None and side is Side.VICTIM and policy.player != self.victim_player:
            raise RequestError(f"victim: policy for seat {policy.player}, but the victim sits in {self.victim_player}")
        if side is Side.ATTACKER and (policy.probabilities[~self.effective.legal] > 0).any():
            raise RequestError(f"attacker: uses options outside the budget of {self.charged[0].threat}")
        return policy.probabilities

    def _unattacked(self) -> EffectiveGame:
        """The same tables at budget 0 (only what the other seat's benign policy leaves)."""
        if self._nominal is None:
            idle = [replace(part, budget=part.budget.kind.budget(0)) for part in self.charged]
            self._nominal = effective_game(self.game, idle, self.victim_player)
        return self._nominal


def _first_option(game: EffectiveGame) -> Floats:
    """Any legal attacker; at budget 0 they all do the same."""
    return np.asarray(np.eye(game.legal.shape[1])[game.legal.argmax(axis=1)])


def _weighted(mixture: Mixture, values: Sequence[Estimate]) -> Estimate:
    return Estimate(float(np.dot(mixture.weights, np.asarray(values, dtype=np.float64))), steps=len(values))


def _project_legal(rows: Floats) -> Floats:
    """Project rows onto the simplex over their entries that are not -inf."""
    legal = np.isfinite(rows)
    least = np.min(rows, axis=1, keepdims=True, where=legal, initial=np.inf)
    # Two below the least legal entry is beyond the reach of the projection, which lowers by less than that.
    return project_simplex(np.where(legal, rows, least - 2.0))
