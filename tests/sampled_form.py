"""A fourth form, written against the contract alone: torch learners in a contextual bandit, values by sampling.

Each episode draws a context; the victim's network picks a row and the other seat a column: the attacker's
network with the probability that the budget buys, else the benign policy. The victim gets `payoff` plus
bounded noise. The game is small enough for the exact figures that the tests hold the sampled ones against.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pytest
from numpy.typing import NDArray

from sparring.access import ChargedAccess, OpponentAccess
from sparring.attack_game import AttackGame, Capabilities, Effort, LearnerState, Side, StepInfo
from sparring.budgets import Charge
from sparring.errors import RefusedError, RequestError
from sparring.exploitability import Estimate, Interval
from sparring.files import write_whole
from sparring.forms import Form
from sparring.game import Game
from sparring.oracle import Finding, Oracle
from sparring.policy import Ability, Mixture, Policy
from sparring.streams import stream

if TYPE_CHECKING:
    import torch
else:
    torch = pytest.importorskip("torch")

Floats = NDArray[np.float64]
HIDDEN = 8
NOISE = 0.1
"""Payoffs are disturbed by at most this, uniformly."""
MOMENTUM = 0.5
BATCH = 128
"""Episodes behind one update."""
RESPONSE_RATE = 1.0
PULL = 0.05
"""Weight of `KL(uniform || policy)`, whose gradient, unlike entropy's, stays where a softmax is sure of itself."""
ONE_SIDED_95, TWO_SIDED_95 = 1.6448536269514722, 1.959963984540054
EFFORT = Effort(steps=BATCH * 30)


@dataclass(frozen=True, eq=False)
class NetworkPolicy(Policy):
    """A snapshot of a network: `softmax(b1 + W1 tanh(b0 + W0 onehot(context)))`."""

    weights: tuple[Floats, ...]
    player: int

    def __post_init__(self) -> None:
        kept = tuple(np.array(part, dtype=np.float64) for part in self.weights)
        for part in kept:
            part.flags.writeable = False
        object.__setattr__(self, "weights", kept)

    @property
    def form(self) -> Form:
        return Form.SIMULATED

    @property
    def abilities(self) -> frozenset[Ability]:
        return frozenset({Ability.PROBABILITIES})

    @property
    def shape(self) -> tuple[int, int]:
        return self.weights[0].shape[1], len(self.weights[3])

    def probabilities(self) -> torch.Tensor:
        """[contexts, actions]."""
        return log_probabilities([torch.tensor(part) for part in self.weights]).exp()

    def to_document(self) -> dict[str, Any]:
        return {"kind": "network", "player": self.player, "weights": [part.tolist() for part in self.weights]}


@dataclass(frozen=True, eq=False)
class TorchState(LearnerState):
    """`parameters` are the network's tensors; optimiser and random generator belong to the learner."""

    optimiser: torch.optim.SGD | None = None
    generator: torch.Generator | None = None


def log_probabilities(weights: Sequence[torch.Tensor]) -> torch.Tensor:
    """Of each action in each context, [contexts, actions]; the contexts are the columns of the first matrix."""
    first, first_bias, second, second_bias = weights
    hidden = torch.tanh(first.T + first_bias)
    return torch.log_softmax(hidden @ second.T + second_bias, dim=-1)


def seeded(rng: np.random.Generator) -> torch.Generator:
    return torch.Generator().manual_seed(int(rng.integers(2**62)))


@dataclass(frozen=True, eq=False)
class BanditGame(Game):
    """`payoff` is the victim's, [contexts, rows, columns], when it sits in seat 0; the other's is its negative."""

    form: ClassVar[Form] = Form.SIMULATED
    spec: str
    payoff: Floats
    zero_sum: bool = True

    @property
    def players(self) -> int:
        return 2

    def uniform_policy(self, player: int | None) -> NetworkPolicy:
        contexts, actions = self.payoff.shape[0], self.payoff.shape[1 + (player or 0)]
        sizes = ((HIDDEN, contexts), (HIDDEN,), (actions, HIDDEN), (actions,))
        return NetworkPolicy(tuple(np.zeros(size) for size in sizes), player or 0)

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> BanditAttackGame:
        return BanditAttackGame(self, charged, victim_player or 0)


class BanditAttackGame(AttackGame):
    """Partial control of the other seat, `share` by context."""

    def __init__(self, game: BanditGame, charged: Sequence[ChargedAccess], victim_player: int) -> None:
        self.game: BanditGame = game
        self.charged, self.victim_player = tuple(charged), victim_player
        part = self.charged[0]
        mixing = part.budget.kind.charge is Charge.MIX
        if len(charged) != 1 or not isinstance(part.access, OpponentAccess) or not mixing:
            raise RefusedError(f"{part.threat} on {game.spec}: this form knows partial control of the other seat alone")
        self.seat = {Side.VICTIM: victim_player, Side.ATTACKER: 1 - victim_player}
        payoff = game.payoff if victim_player == 0 else -game.payoff.transpose(0, 2, 1)
        self.payoff = torch.tensor(payoff)
        share = np.ones(len(payoff)) if part.access.share is None else np.asarray(part.access.share)
        self.control = torch.tensor(part.budget.value * np.clip(share, 0.0, 1.0))
        """Probability that the attacker acts, [contexts]."""
        benign = part.access.benign
        if benign is None and bool((self.control < 1).any()):
            raise RequestError(f"{game.spec}: nothing says what the other seat does where the attacker has no control")
        self.benign = None if benign is None else self.check_policy(benign, Side.ATTACKER)

    @property
    def can(self) -> Capabilities:
        both: frozenset[Side] = frozenset(Side)
        return Capabilities(
            exact_value=False,
            response=both,
            exact_response=frozenset(),
            mixture_response=both,
            step=both,
            average="episode-mixture",
            scores_average=True,
            known_optimum=False,
            why={"exact_value": "values are sampled", "optimum": "networks are trained, not solved"},
        )

    def start(self, side: Side, seed: int, learner: str = "direct") -> TorchState:
        if learner != "direct":
            raise RequestError(f"learner {learner!r}: {self.game.spec} has 'direct'")
        rng = stream(seed, "start", side)
        like = self.game.uniform_policy(self.seat[side]).weights
        weights = [torch.tensor(rng.normal(size=part.shape), requires_grad=True) for part in like]
        optimiser = torch.optim.SGD(weights, lr=1.0, momentum=MOMENTUM)
        return TorchState(side, weights, optimiser=optimiser, generator=seeded(rng))

    def freeze(self, state: LearnerState) -> NetworkPolicy:
        return NetworkPolicy(tuple(part.detach().numpy() for part in state.parameters), self.seat[state.side])

    def step(
        self, state: LearnerState, against: Policy, rate: float, rng: np.random.Generator
    ) -> tuple[TorchState, StepInfo]:
        """One REINFORCE update with a baseline and a pull to uniform; randomness is the learner's own."""
        moved, norm = self._updated(self._copy(state), self.check_policy(against, state.side.other), rate)
        return moved, StepInfo(BATCH, norm)

    def respond(
        self,
        side: Side,
        against: Policy,
        *,
        warm: LearnerState | None = None,
        effort: Effort | None = None,
        rng: np.random.Generator,
    ) -> tuple[TorchState, Estimate]:
        """As many updates as `effort.steps` pays for; the estimate is of fresh episodes."""
        self.check_policy(against, side.other)
        state = self.start(side, int(rng.integers(2**31))) if warm is None else self._copy(warm)
        updates = max(1, ((effort or EFFORT).steps or EFFORT.steps or 0) // BATCH)
        for _ in range(updates):
            state, _ = self._updated(state, against, RESPONSE_RATE)
        own = self.freeze(state)
        pair = (own, against) if side is Side.VICTIM else (against, own)
        reached = self.measure(*pair, rng)
        return state, Estimate(
            reached, ci95=reached.ci95, episodes=reached.episodes, steps=reached.steps + updates * BATCH
        )

    def mix(self, average: Policy | None, policy: Policy, weight: float, side: Side) -> Policy:
        if average is None:
            return policy
        parts = average.policies if isinstance(average, Mixture) else (average,)
        shares = average.weights if isinstance(average, Mixture) else (1.0,)
        return Mixture((*parts, policy), (*((1 - weight) * share for share in shares), weight))

    def measure(
        self, victim: Policy, attacker: Policy | None, rng: np.random.Generator, episodes: int | None = None
    ) -> Estimate:
        self.check_policy(victim, Side.VICTIM)
        if attacker is not None:
            self.check_policy(attacker, Side.ATTACKER)
        if attacker is None and self.benign is None:
            raise RequestError(f"{self.game.spec}: no attack is not defined, the other seat has no benign policy")
        count = 2000 if episodes is None else episodes
        with torch.no_grad():
            _, _, _, returns = self._episodes(victim, attacker, count, seeded(rng))
        mean = float(returns.mean())
        half = TWO_SIDED_95 * float(returns.std()) / math.sqrt(count)
        return Estimate(mean, ci95=(mean - half, mean + half), episodes=count, steps=count)

    def exploitability(self, victim: Policy, effort: Effort | None = None, seed: int = 0) -> Interval:
        """The better of two trained attackers, chosen on one stream of episodes and scored on another."""
        tried = [
            self.respond(Side.ATTACKER, victim, effort=effort, rng=stream(seed, "restart", restart))
            for restart in range(2)
        ]
        state, _ = min(tried, key=lambda found: float(found[1]))
        score = self.measure(victim, self.freeze(state), stream(seed, "score"))
        assert score.ci95 is not None
        lower = -float(score) - (score.ci95[1] - float(score)) * ONE_SIDED_95 / TWO_SIDED_95
        return Interval(lower, -self.least_return(), exact=False, confidence=0.95, method="trained", trivial_upper=True)

    def least_return(self) -> float:
        return float(self.payoff.min()) - NOISE

    def save_state(self, state: LearnerState, path: Path) -> None:
        assert isinstance(state, TorchState)
        assert state.optimiser is not None
        assert state.generator is not None
        held = {
            "side": state.side.value,
            "updates": state.updates,
            "weights": [part.detach() for part in state.parameters],
            "optimiser": state.optimiser.state_dict(),
            "generator": state.generator.get_state(),
        }
        with write_whole(path) as file:
            torch.save(held, file)

    def load_state(self, path: Path) -> TorchState:
        held = torch.load(path, weights_only=True)
        weights = [part.requires_grad_() for part in held["weights"]]
        optimiser = torch.optim.SGD(weights, lr=1.0, momentum=MOMENTUM)
        optimiser.load_state_dict(held["optimiser"])
        generator = torch.Generator()
        generator.set_state(held["generator"])
        return TorchState(Side(held["side"]), weights, held["updates"], optimiser=optimiser, generator=generator)

    def check_policy(self, policy: Policy, side: Side) -> Policy:
        for part in policy.policies if isinstance(policy, Mixture) else (policy,):
            wanted = self.game.uniform_policy(self.seat[side])
            if not isinstance(part, NetworkPolicy) or (part.shape, part.player) != (wanted.shape, wanted.player):
                raise RequestError(f"{self.game.spec}: no policy of seat {self.seat[side]}, the {side}'s")
        return policy

    def restore(self, document: Mapping[str, Any], side: Side) -> Policy:
        if document["kind"] == "mixture":
            parts = tuple(self.restore(part, side) for part in document["policies"])
            return Mixture(parts, tuple(document["weights"]))
        made = NetworkPolicy(tuple(np.array(part) for part in document["weights"]), int(document["player"]))
        return self.check_policy(made, side)

    def exact_value(self, victim: Policy, attacker: Policy | None) -> float:
        """What `measure` estimates."""
        joint = self._average(victim)[:, :, None] * self._column(attacker)[:, None]
        return float((joint * self.payoff).sum((1, 2)).mean())

    def exact_exploitability(self, victim: Policy) -> float:
        """What `exploitability` bounds from below."""
        columns = (self._average(victim)[:, :, None] * self.payoff).sum(1)
        benign = columns.mean(1) if self.benign is None else (self._average(self.benign) * columns).sum(1)
        return -float((self.control * columns.min(1).values + (1 - self.control) * benign).mean())

    def _average(self, policy: Policy) -> torch.Tensor:
        tables, weights = _tables(policy)
        return (weights[:, None, None] * tables).sum(0)

    def _column(self, attacker: Policy | None) -> torch.Tensor:
        benign = self.benign if self.benign is not None else attacker
        assert benign is not None
        if attacker is None:
            return self._average(benign)
        control = self.control[:, None]
        return control * self._average(attacker) + (1 - control) * self._average(benign)

    def _copy(self, state: LearnerState) -> TorchState:
        """States handed in are left alone, so that an interrupted solver still holds a whole one."""
        assert isinstance(state, TorchState)
        assert state.optimiser is not None
        assert state.generator is not None
        weights = [part.detach().clone().requires_grad_() for part in state.parameters]
        optimiser = torch.optim.SGD(weights, lr=1.0, momentum=MOMENTUM)
        optimiser.load_state_dict(copy.deepcopy(state.optimiser.state_dict()))
        return replace(state, parameters=weights, optimiser=optimiser, generator=state.generator.clone_state())

    def _updated(self, state: TorchState, against: Policy, rate: float) -> tuple[TorchState, float]:
        """Update a state that nobody else holds."""
        assert state.optimiser is not None
        assert state.generator is not None
        snapshot = self.freeze(state)
        pair = (snapshot, against) if state.side is Side.VICTIM else (against, snapshot)
        with torch.no_grad():
            context, action, acted, returns = self._episodes(*pair, BATCH, state.generator, of=state.side)
        logs = log_probabilities(state.parameters)
        sign = -1.0 if state.side is Side.VICTIM else 1.0
        gain = ((returns - returns.mean()) * acted * logs[context, action]).mean()
        loss = sign * gain - PULL * logs.mean()
        state.optimiser.zero_grad()
        loss.backward()
        norm = math.sqrt(sum(float((part.grad**2).sum()) for part in state.parameters))
        state.optimiser.param_groups[0]["lr"] = rate
        state.optimiser.step()
        return replace(state, updates=state.updates + 1), norm

    def _episodes(
        self, victim: Policy, attacker: Policy | None, count: int, generator: torch.Generator, of: Side = Side.VICTIM
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
        """Contexts, actions of side `of`, whether that side acted, and the victim's returns, [count] each."""
        context = torch.randint(len(self.payoff), (count,), generator=generator)
        coin, jitter = torch.rand((2, count), generator=generator, dtype=torch.float64)
        row = _draw(victim, context, generator)
        proposed = _draw(self.benign if attacker is None else attacker, context, generator)
        control = coin < self.control[context]
        column = proposed
        if attacker is not None and self.benign is not None:
            column = torch.where(control, proposed, _draw(self.benign, context, generator))
        returns = self.payoff[context, row, column] + NOISE * (2 * jitter - 1)
        if of is Side.VICTIM:
            return context, row, torch.ones(count, dtype=torch.float64), returns
        return context, proposed, control.double(), returns


def _tables(policy: Policy) -> tuple[torch.Tensor, torch.Tensor]:
    """Probabilities of each part [parts, contexts, actions] with the parts' weights [parts]."""
    parts = policy.policies if isinstance(policy, Mixture) else (policy,)
    shares = policy.weights if isinstance(policy, Mixture) else (1.0,)
    tables = [part.probabilities() for part in parts if isinstance(part, NetworkPolicy)]
    return torch.stack(tables), torch.tensor(shares, dtype=torch.float64)


def _draw(policy: Policy | None, context: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Actions in those contexts; a mixture draws its part anew in every episode."""
    assert policy is not None
    tables, weights = _tables(policy)
    part = torch.multinomial(weights, len(context), replacement=True, generator=generator)
    return torch.multinomial(tables[part, context], 1, generator=generator)[:, 0]


class Trained(Oracle):
    """The attacker that `respond` trains."""

    name: ClassVar[str] = "trained"
    summary: ClassVar[str] = "an attacker trained against the victim"
    forms: ClassVar[frozenset[Form]] = frozenset({Form.SIMULATED})

    def attack(self, duel: AttackGame, victim: Policy, *, effort: Effort | None, rng: np.random.Generator) -> Finding:
        state, reached = duel.respond(Side.ATTACKER, victim, effort=effort, rng=rng)
        return Finding(duel.freeze(state), steps=reached.steps)
