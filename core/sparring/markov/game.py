"""Discounted Markov games with finitely many states, given by arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.errors import RequestError
from sparring.forms import Form
from sparring.game import Game, frozen
from sparring.markov.policy import MarkovPolicy
from sparring.policy import numbers

if TYPE_CHECKING:
    from sparring.access import ChargedAccess
    from sparring.attack_game import AttackGame

__all__ = ["MarkovGame"]

Floats = NDArray[np.float64]
SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, eq=False)
class MarkovGame(Game):
    """A Markov game `<S, A_0, A_1, P, r, rho, gamma>` of one or two players (rethinking, section 2).

    Raises:
        RequestError: shapes disagree, a row of `transition` or `rho` is no distribution, a reward is
            not finite, or `gamma` lies outside [0, 1).
    """

    form: ClassVar[Form] = Form.MARKOV

    spec: str
    shape: tuple[int, int, int]
    """(states, actions of player 0, actions of player 1); the last is 1 where there is one agent."""
    transition: sparse.csr_array
    """Next-state distribution of each (state, action 0, action 1), [S * A0 * A1, S], row-major."""
    reward: Floats
    """Expected reward of each player, [players, S, A0, A1]."""
    rho: Floats
    """Start distribution, [S]."""
    gamma: float
    """Discount in [0, 1)."""
    neighbours: NDArray[np.bool_] | None = None
    """Which states look alike, [S, S]; the graph in which an integer observation radius is measured."""
    reward_bound: float | None = None
    """`max |R(s, a, s')|` where rewards depend on the next state; None for `max |reward|`."""
    state_names: tuple[str, ...] | None = None
    zero_sum: bool = field(init=False)

    def __post_init__(self) -> None:
        states, first, second = self.shape
        if len(self.reward) not in (1, 2) or (len(self.reward) == 1 and second != 1):
            raise RequestError(
                f"{self.spec}: rewards of {len(self.reward)} players with actions [{first}, {second}]; one agent has "
                "actions [A, 1], two players have rewards each"
            )
        expected = {
            "transition": (self.transition.shape, (states * first * second, states)),
            "reward": (self.reward.shape, (len(self.reward), states, first, second)),
            "rho": (self.rho.shape, (states,)),
            "neighbours": ((states, states) if self.neighbours is None else self.neighbours.shape, (states, states)),
            "state_names": ((states if self.state_names is None else len(self.state_names),), (states,)),
        }
        for name, (found, wanted) in expected.items():
            if found != wanted:
                raise RequestError(f"{self.spec}: {name} has shape {list(found)}, expected {list(wanted)}")
        if not 0 <= self.gamma < 1:
            raise RequestError(f"{self.spec}: gamma is {self.gamma}, expected a number from 0 to below 1")
        if not np.isfinite(self.reward).all():
            raise RequestError(f"{self.spec}: reward has entries that are not finite numbers")
        owner = np.repeat(np.arange(states * first * second), np.diff(self.transition.indptr))
        self._check_rows("transition", self.transition.data, owner, self.transition @ np.ones(states))
        self._check_rows("rho", self.rho, np.zeros(states, np.int64), self.rho.sum(keepdims=True))
        cancel = self.players == 2 and bool(np.allclose(self.reward.sum(axis=0), 0.0, atol=1e-12))
        object.__setattr__(self, "zero_sum", cancel)
        for name in ("reward", "rho"):
            object.__setattr__(self, name, frozen(getattr(self, name)))
        self.transition.data.flags.writeable = False

    def _check_rows(
        self, name: str, entries: Floats, owner: NDArray[np.integer[Any]], totals: NDArray[np.float64]
    ) -> None:
        """Refuse rows that are no distributions; `owner` says which row each entry belongs to."""
        bad = np.flatnonzero(~np.isfinite(entries) | (entries < 0))
        wrong = np.flatnonzero(np.abs(totals - 1.0) > SUM_TOLERANCE)
        if not len(bad) and not len(wrong):
            return
        row = int(owner[bad[0]] if len(bad) else wrong[0])
        place = name if name == "rho" else f"{name} at {self._row_name(row)}"
        if len(bad):
            raise RequestError(f"{self.spec}: {place} has the entry {entries[bad[0]]:g}, expected a probability")
        raise RequestError(f"{self.spec}: {place} sums to {totals[row]:.12g}, expected 1")

    def _row_name(self, row: int) -> str:
        """A row of `transition` in words."""
        state, *actions = self.row_index(row)
        where = f"state {state}" if self.state_names is None else f"state {state} ({self.state_names[state]})"
        return f"{where}, action {actions[0]}" if self.players == 1 else f"{where}, actions {actions}"

    @classmethod
    def from_arrays(
        cls,
        spec: str,
        transition: Floats,
        reward: Floats,
        *,
        gamma: float,
        rho: Floats | None = None,
        neighbours: NDArray[np.bool_] | None = None,
        state_names: tuple[str, ...] | None = None,
    ) -> MarkovGame:
        """Make a game from dense arrays.

        Args:
            spec: the text that names the game.
            transition: [S, A, S] for one agent, [S, A0, A1, S] for two.
            reward: of the transition's shape (`R(s, a, s')`) or without its last axis (`r(s, a)`); for two
                players it is player 0's and player 1's is its negative, unless a leading axis of 2 is given. Where
                [2, S, A0, A1] could be read both ways (two states, equal numbers of actions) it is refused.
            gamma: discount in [0, 1).
            rho: start distribution [S]; uniform if None.
            neighbours: [S, S], see the field.
            state_names: one for each state.

        Raises:
            RequestError: see the class.
        """
        table = np.asarray(transition, dtype=np.float64)
        if table.ndim not in (3, 4) or table.shape[0] != table.shape[-1] or 0 in table.shape:
            raise RequestError(
                f"{spec}: transition has shape {list(table.shape)}, expected [S, A, S] or [S, A0, A1, S]"
            )
        players = table.ndim - 2
        states, first = table.shape[:2]
        second = table.shape[2] if players == 2 else 1
        full = table.reshape(states, first, second, states)
        payoff = np.asarray(reward, dtype=np.float64)
        for name, array in (("transition", full), ("reward", payoff)):
            if not np.isfinite(array).all():
                place = [int(index) for index in np.argwhere(~np.isfinite(array))[0]]
                raise RequestError(f"{spec}: {name} at {place} is {array[tuple(place)]}, expected a finite number")
        expected, bound = _expected_reward(spec, payoff, full, players)
        start = np.full(states, 1.0 / states) if rho is None else np.asarray(rho, dtype=np.float64)
        rows = sparse.csr_array(full.reshape(-1, states))
        shape = (states, first, second)
        return cls(spec, shape, rows, expected, start, float(gamma), neighbours, bound, state_names)

    @property
    def players(self) -> int:
        """One or two."""
        return len(self.reward)

    @property
    def states(self) -> int:
        """Number of states."""
        return self.shape[0]

    @property
    def max_reward(self) -> float:
        """`max |R(s, a, s')|`, the constant of thesis theorem 6.3.1."""
        return float(np.abs(self.reward).max()) if self.reward_bound is None else self.reward_bound

    def row_index(self, row: int) -> tuple[int, ...]:
        """Which (state, action 0, action 1) a row of `transition` belongs to."""
        return tuple(int(part) for part in np.unravel_index(row, self.shape))

    def for_seat(self, victim_player: int | None) -> tuple[sparse.csr_array, Floats]:
        """The tables with the victim's actions first.

        Returns:
            transition [S * A * C, S] and the victim's reward [S, A, C]; `A` the victim's actions, `C` the
            other seat's.
        """
        if victim_player != 1:
            return self.transition, self.reward[0]
        order = np.arange(int(np.prod(self.shape))).reshape(self.shape).transpose(0, 2, 1)
        return self.transition[order.ravel()], self.reward[1].transpose(0, 2, 1)

    def uniform_policy(self, player: int | None) -> MarkovPolicy:
        """Every action with the same probability in every state."""
        size = self.shape[1 + (player or 0)]
        return MarkovPolicy(np.full((self.states, size), 1.0 / size), player)

    def decision_points(self, player: int | None) -> tuple[str, ...]:
        """The states, by name where they have one."""
        return tuple(str(state) for state in range(self.states)) if self.state_names is None else self.state_names

    def make_policy(self, data: object, player: int | None) -> MarkovPolicy:
        """Make a policy from a table [S, A], or from what `MarkovPolicy.to_document` gave."""
        table = numbers(data, "markov", player, self.spec)
        wanted = (self.states, self.shape[1 + (player or 0)])
        if table.shape != wanted:
            raise RequestError(f"policy for {self.spec}: shape {list(table.shape)}, expected {list(wanted)}")
        return MarkovPolicy(table, player)

    def attack_game(self, charged: Sequence[ChargedAccess], victim_player: int | None) -> AttackGame:
        """Build the zero-sum game between the victim in seat `victim_player` and the attacker."""
        from sparring.markov.attack_game import MarkovAttackGame

        return MarkovAttackGame(self, charged, victim_player)


def _expected_reward(spec: str, reward: Floats, full: Floats, players: int) -> tuple[Floats, float]:
    """Rewards as [players, S, A0, A1] with their greatest size, from any of the accepted shapes."""
    table = full.shape[:3]
    short = table[: players + 1]
    plain, stepwise = (short, table), ((*short, table[0]), full.shape)
    each = {(2, *table): False, (2, *full.shape): True} if players == 2 else {}
    if reward.shape in each and reward.shape in stepwise:
        raise RequestError(
            f"{spec}: reward of shape {list(reward.shape)} can be of both players or of each next state; give "
            f"{[2, *full.shape]} or {list(table)}"
        )
    if reward.shape not in (*each, *plain, *stepwise):
        wanted = ", ".join(str(list(shape)) for shape in (short, (*short, table[0]), *each))
        raise RequestError(f"{spec}: reward has shape {list(reward.shape)}, expected one of {wanted}")
    bound = float(np.abs(reward).max())
    own = reward if reward.shape in each else reward[None]
    if each.get(reward.shape, reward.shape in stepwise):
        own = np.einsum("xyzs,pxyzs->pxyz", full, own.reshape(-1, *full.shape))
    expected = own.reshape(-1, *table)
    return (np.concatenate([expected, -expected]) if players == 2 and len(expected) == 1 else expected), bound
