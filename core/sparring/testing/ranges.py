"""What any attacker within a budget can make of a victim's return, derived apart from the attack games.

The core charges a declared access into tables or trees and computes on those. Here the same question is answered
from the game's own arrays by plain loops and value iteration, so that a mistake, or a trick, in one shows in the
other. The benign policy is the one that was handed out, whatever an access says of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.access import Access, ActionAccess, Coin, DynamicsAccess, ObservationAccess, OpponentAccess
from sparring.budgets import BudgetKind, Charge
from sparring.extensive.game import ExtensiveGame
from sparring.game import Game
from sparring.markov.game import MarkovGame
from sparring.matrix.game import MatrixGame
from sparring.policy import Policy
from sparring.testing.check import CheckSkipped

__all__ = ["Power", "attack_range"]

Floats = NDArray[np.float64]
Range = tuple[float, float]
SWEEP_TOLERANCE = 1e-13


@dataclass(frozen=True, eq=False)
class Power:
    """What an attacker may touch, how much of it, and from where."""

    access: Access
    kind: BudgetKind
    amount: float
    seat: int | None
    """The victim's."""
    benign: Policy | None
    """The other seat's benign policy as the kit handed it out."""

    @property
    def mixes(self) -> bool:
        """Whether the amount is a probability of control."""
        return self.kind.charge is Charge.MIX

    @property
    def tossed_once(self) -> bool:
        """Whether control is decided once an episode."""
        access = self.access
        return isinstance(access, OpponentAccess) and access.coin is Coin.EPISODE and self.benign is not None


def attack_range(game: Game, power: Power, victim: Policy) -> Range:
    """The least and the greatest return of `victim` under any attacker of that power.

    Raises:
        CheckSkipped: the kit cannot derive this access on this form.
    """
    if power.tossed_once and power.amount > 0:
        free, bound = (_with_amount(power, amount) for amount in (0.0, 1.0))
        idle, (least, greatest) = _range(game, free, victim)[0], _range(game, bound, victim)
        eps = power.amount
        return (1 - eps) * idle + eps * least, (1 - eps) * idle + eps * greatest
    return _range(game, power, victim)


def _with_amount(power: Power, amount: float) -> Power:
    return Power(power.access, power.kind, amount, power.seat, power.benign)


def _range(game: Game, power: Power, victim: Policy) -> Range:
    if isinstance(game, ExtensiveGame):
        from sparring.testing.tree_ranges import tree_range

        return tree_range(game, power, table_of(victim))
    if isinstance(game, MatrixGame):
        payoff = game.payoff[0] if power.seat != 1 else game.payoff[1].T
        once = _World(np.zeros((1, *payoff.shape, 1)), payoff[None], np.ones(1), 0.0, power)
        return once.range(table_of(victim)[None])
    if isinstance(game, MarkovGame):
        step = game.transition.toarray().reshape(*game.shape, game.states)
        reward = game.reward[0 if power.seat is None else power.seat]
        if power.seat == 1:
            step, reward = step.swapaxes(1, 2), reward.swapaxes(1, 2)
        return _World(step, reward, game.rho, game.gamma, power).range(table_of(victim))
    raise CheckSkipped(f"the kit derives no values on the {game.form} form")


def table_of(policy: Policy | None) -> Floats:
    """The probabilities of a policy of an exact form."""
    return np.asarray(getattr(policy, "probabilities", None), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class _World:
    """A Markov game seen from the victim's seat; a matrix is one with a single state that ends."""

    step: Floats
    """[S, A, C, S]."""
    reward: Floats
    """[S, A, C]."""
    rho: Floats
    gamma: float
    power: Power

    def range(self, victim: Floats) -> Range:
        """Value iteration over the attacker's choices in each state, once for the worst and once for the best."""
        choices = [self._choices(state, victim) for state in range(len(self.reward))]
        most = max(map(len, choices))
        # Where there are fewer, the first one stands several times: least and greatest stay what they are.
        full = [here + here[:1] * (most - len(here)) for here in choices]
        gain = np.asarray([[reward for reward, _ in here] for here in full])
        move = np.asarray([[row for _, row in here] for here in full])
        return self._sweep(gain, move, np.min), self._sweep(gain, move, np.max)

    def _sweep(self, gain: Floats, move: Floats, pick: Callable[..., Any]) -> float:
        """The start's value when `pick` chooses in each state; `gain` [S, choices], `move` [S, choices, S]."""
        values = np.zeros(len(gain))
        while True:
            new = np.asarray(pick(gain + self.gamma * (move @ values), axis=1))
            if np.abs(new - values).max() <= SWEEP_TOLERANCE:
                return float(self.rho @ new)
            values = new

    def _choices(self, state: int, victim: Floats) -> list[tuple[float, Floats]]:
        """Reward and next-state distribution of each thing that the attacker can do in a state."""
        access, power = self.power.access, self.power
        mine, others = victim[state], self._others(state)
        if isinstance(access, OpponentAccess):
            return [self._outcome(state, mine, other) for other in self._controlled(access, state, others)]
        if isinstance(access, ActionAccess) and power.mixes and access.mode == "replace":
            allowed = np.ones(len(mine), np.bool_) if access.allowed is None else access.allowed[state]
            forced = [mine] + [row for row, legal in zip(np.eye(len(mine)), allowed, strict=True) if legal]
            return [self._outcome(state, _mixed(mine, row, power.amount), others) for row in forced]
        if isinstance(access, ObservationAccess) and access.size is not None:
            shown = _reachable(np.asarray(access.size)[state], state, power)
            weight = power.amount if power.mixes else 1.0
            return [self._outcome(state, _mixed(mine, victim[other], weight), others) for other in shown]
        if isinstance(access, DynamicsAccess) and access.transition is not None:
            return self._moved(access, state, mine, others)
        raise CheckSkipped(f"the kit derives no values of a {type(access).__name__} charged by {power.kind.name}")

    def _others(self, state: int) -> Floats:
        """What the other seat does without an attack; where it has one action, that one."""
        if self.power.benign is not None:
            return np.asarray(np.atleast_2d(table_of(self.power.benign))[state])
        return np.full(self.reward.shape[2], 1.0 / self.reward.shape[2])

    def _controlled(self, access: OpponentAccess, state: int, benign: Floats) -> list[Floats]:
        share = 1.0 if access.share is None else float(np.asarray(access.share)[state])
        return [_mixed(benign, row, self.power.amount * share) for row in np.eye(len(benign))]

    def _moved(self, access: DynamicsAccess, state: int, mine: Floats, other: Floats) -> list[tuple[float, Floats]]:
        tables = np.asarray(access.transition, dtype=np.float64).reshape(-1, *self._natural)
        if self.power.seat == 1:
            tables = tables.swapaxes(2, 3)
        sizes = np.zeros((len(self.reward), len(tables))) if access.size is None else np.asarray(access.size)
        sizes = np.column_stack([np.zeros(len(self.reward)), sizes])
        kept = _reachable(sizes[state], 0, self.power)
        weight = self.power.amount if self.power.mixes else 1.0
        every = np.concatenate([self.step[None], tables])
        gain, _ = self._outcome(state, mine, other)
        rows = [np.einsum("a,c,acs->s", mine, other, _mixed(self.step[state], every[k][state], weight)) for k in kept]
        return [(gain, row) for row in rows]

    @property
    def _natural(self) -> tuple[int, ...]:
        """The shape of the game's own transitions, seats in the game's order."""
        states, mine, others, _ = self.step.shape
        return (states, others, mine, states) if self.power.seat == 1 else (states, mine, others, states)

    def _outcome(self, state: int, mine: Floats, other: Floats) -> tuple[float, Floats]:
        row = np.asarray(np.einsum("a,c,acs->s", mine, other, self.step[state]))
        return float(mine @ self.reward[state] @ other), row


def _mixed(idle: Floats, chosen: Floats, weight: float) -> Floats:
    return (1 - weight) * idle + weight * chosen


def _reachable(sizes: Floats, idle: int, power: Power) -> list[int]:
    """What the budget reaches in a state: what changes nothing, and changes small enough."""
    limit = np.finfo(np.float64).max if power.mixes else power.amount
    changes = [place for place, size in enumerate(sizes) if place != idle and size <= limit]
    return [idle, *(changes if power.amount > 0 else [])]
