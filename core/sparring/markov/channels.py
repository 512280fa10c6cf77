"""Threats on tabular games become one table: the effective game that victim and attacker play.

Each channel an attacker may touch (the other seat, the observation, the action, the dynamics) turns
the attacker's option into a distribution over what comes out of the channel. Under a mixing budget that
is `(1 - eps) * nothing + eps * option`; under a size budget it is the option itself, of the legal ones.
Composing threats multiplies the options. The result is the mixed Markov game of lemma D.1
(rethinking), the SA-MDP of the thesis (6.2.1), PR-MDP, and whatever else the channels spell.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.access import ActionAccess, ChargedAccess, Coin, DynamicsAccess, ObservationAccess, OpponentAccess
from sparring.budgets import Budget, Charge
from sparring.errors import RefusedError, RequestError
from sparring.markov.game import SUM_TOLERANCE, MarkovGame
from sparring.markov.policy import MarkovPolicy

__all__ = ["EffectiveGame", "effective_game"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class EffectiveGame:
    """What the two play once the budget is charged; `B` is the number of the attacker's options."""

    transition: sparse.csr_array
    """[S * B * A, S], rows ordered (state, option, victim's action)."""
    reward: Floats
    """The victim's expected reward, [S, B, A]."""
    observe: sparse.csr_array | None
    """Distribution of what the victim sees, [S * B, observations]; None where it sees the state."""
    legal: Bools
    """Options that each state has, [S, B]."""
    rho: Floats
    """[S]."""
    observations: int
    """How many things the victim may see."""
    options: tuple[NDArray[np.int64], ...]
    """What each option means, one array [B] for each part of the threat."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """(states, options, victim's actions)."""
        states, options, actions = self.reward.shape
        return states, options, actions


@dataclass(frozen=True, eq=False)
class _Channel:
    """The attacker's options in one touched channel, and how far they decide."""

    legal: Bools
    """[S, b]."""
    weight: Floats
    """Chance that the option decides, [S]; the channel's own behaviour has the rest."""


def effective_game(game: MarkovGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> EffectiveGame:
    """Charge the budgets and compose the parts.

    Raises:
        RefusedError: an access that tables do not have.
        RequestError: a declared array has the wrong shape.
    """
    _check_parts(game, charged)
    coins = [part for part in charged if _tossed_once(part)]
    if not coins:
        return _compose(game, charged, victim_player)
    coin = coins[0]
    kind = coin.budget.kind
    whole, none = (
        [replace(part, budget=kind.budget(value)) if part is coin else part for part in charged] for value in (1.0, 0.0)
    )
    return _toss_once(_compose(game, none, victim_player), _compose(game, whole, victim_player), coin.budget.value)


def _check_parts(game: MarkovGame, charged: Sequence[ChargedAccess]) -> None:
    """Each channel but the action can be touched once: a second part would undo the first."""
    for kind in (OpponentAccess, ObservationAccess, DynamicsAccess):
        same = [part.threat for part in charged if isinstance(part.access, kind)]
        if len(same) > 1:
            raise RefusedError(f"{game.spec}: {' and '.join(same)} touch the same channel; use one of them")
        if same and kind is OpponentAccess and game.players == 1:
            raise RefusedError(f"{same[0]} on {game.spec}: one agent, so there is no other seat to control")


def _tossed_once(part: ChargedAccess) -> bool:
    # Without a benign policy the attacker always has control (`_benign` sees to it) and there is nothing to toss.
    access = part.access
    return isinstance(access, OpponentAccess) and access.coin is Coin.EPISODE and access.benign is not None


def _toss_once(without: EffectiveGame, under: EffectiveGame, eps: float) -> EffectiveGame:
    """Double the states: the first half was not attacked, the second was, and the victim cannot tell."""
    transition = sparse.csr_array(sparse.block_diag([without.transition, under.transition], format="csr"))
    if without.observe is None or under.observe is None:
        states, options, _ = under.shape
        seen = np.tile(np.repeat(np.arange(states), options), 2)
        rows = np.arange(len(seen))
        observe = sparse.csr_array((np.ones(len(seen)), (rows, seen)), shape=(len(seen), under.observations))
    else:
        observe = sparse.csr_array(sparse.vstack([without.observe, under.observe]))
    return EffectiveGame(
        transition,
        np.concatenate([without.reward, under.reward]),
        observe,
        np.concatenate([without.legal, under.legal]),
        np.concatenate([(1 - eps) * under.rho, eps * under.rho]),
        under.observations,
        under.options,
    )


@dataclass(eq=False)
class _Spread:
    """How effective row (state, option, victim's choice) spreads over what the channels give."""

    act: Floats
    """What the victim's choice becomes, [S, B, A, A]."""
    other: Floats | None
    """What the other seat does, [S, B or 1, C]; None until something says so."""
    tables: list[sparse.csr_array]
    """The game's own transitions and the alternatives."""
    table_weight: Floats
    """Which of them moves the state, [S, B or 1, tables]."""
    observe: Floats | None = None
    """What the victim sees, [S, B, observations]; None for the state."""


def _compose(game: MarkovGame, charged: Sequence[ChargedAccess], victim_player: int | None) -> EffectiveGame:
    """Multiply the options of all parts and mix the tables accordingly."""
    transition, reward = game.for_seat(victim_player)
    states, actions = reward.shape[:2]
    channels = [_channel(game, part, reward.shape) for part in charged]
    grids = np.meshgrid(*[np.arange(channel.legal.shape[1]) for channel in channels], indexing="ij")
    picks = tuple(grid.ravel() for grid in grids)
    total = len(picks[0]) if picks else 1
    legal = np.ones((states, total), dtype=np.bool_)
    for channel, pick in zip(channels, picks, strict=True):
        legal &= channel.legal[:, pick]
    spread = _Spread(
        act=np.broadcast_to(np.eye(actions), (states, total, actions, actions)),
        other=np.ones((states, total, 1)) if reward.shape[2] == 1 else None,
        tables=[transition],
        table_weight=np.ones((states, total, 1)),
    )
    for part, channel, pick in zip(charged, channels, picks, strict=True):
        chosen = np.asarray(np.eye(channel.legal.shape[1])[pick])[None]
        _spend(game, spread, part, chosen=chosen, weight=channel.weight[:, None, None], seat=victim_player)
    if spread.other is None:
        raise RefusedError(
            f"{game.spec}: two seats, and nothing says what the other one does; add partial-control or take a "
            "one-agent game"
        )
    step, expected = _tables(reward, spread)
    sight = None
    if spread.observe is not None:
        sight = sparse.csr_array(np.broadcast_to(spread.observe, (states, total, states)).reshape(-1, states))
    return EffectiveGame(step, expected, sight, legal, game.rho, states, picks)


def _spend(
    game: MarkovGame, spread: _Spread, part: ChargedAccess, *, chosen: Floats, weight: Floats, seat: int | None
) -> None:
    """Let one part act: `chosen` [1, B, options] decides with chance `weight` [S, 1, 1]."""
    access = part.access
    if isinstance(access, OpponentAccess):
        others = chosen.shape[-1]
        spread.other = weight * chosen + (1 - weight) * _benign(game, access, part.budget, others)[:, None]
    elif isinstance(access, ActionAccess):
        forced, left = chosen[:, :, None, : spread.act.shape[-1]], chosen[:, :, None, spread.act.shape[-1] :]
        idle = (1 - weight[..., None]) + weight[..., None] * left.sum(axis=-1, keepdims=True)
        spread.act = weight[..., None] * forced + idle * spread.act
    elif isinstance(access, ObservationAccess):
        spread.observe = weight * chosen + (1 - weight) * np.eye(game.states)[:, None]
    elif isinstance(access, DynamicsAccess):
        spread.tables += [_alternative(game, access, k, seat) for k in range(_alternatives(access))]
        spread.table_weight = weight * chosen + (1 - weight) * (np.arange(len(spread.tables)) == 0)


def _tables(reward: Floats, spread: _Spread) -> tuple[sparse.csr_array, Floats]:
    """Mix the rows: weight of base row (s, a', c) of each table in effective row (s, b, a)."""
    assert spread.other is not None
    states, total, actions, _ = spread.act.shape
    joint = np.einsum("sbax,sbc->sbaxc", spread.act, np.broadcast_to(spread.other, (states, total, reward.shape[2])))
    expected = np.einsum("sbaxc,sxc->sba", joint, reward)
    terms = []
    for k, table in enumerate(spread.tables):
        weights = joint * spread.table_weight[:, :, k][:, :, None, None, None]
        terms.append(_block_rows(weights.reshape(states, total * actions, -1)) @ table)
    mixed = sum(terms[1:], start=terms[0])
    return sparse.csr_array(mixed), expected


def _block_rows(blocks: Floats) -> sparse.csr_array:
    """A sparse block-diagonal matrix from dense blocks [S, rows, columns]."""
    states, rows, columns = blocks.shape
    s, i, j = np.nonzero(blocks)
    return sparse.csr_array((blocks[s, i, j], (s * rows + i, s * columns + j)), shape=(states * rows, states * columns))


def _channel(game: MarkovGame, part: ChargedAccess, shape: tuple[int, int, int]) -> _Channel:
    """The options of one part and the chance that they decide."""
    states, actions, others = shape
    access, budget = part.access, part.budget
    mix = budget.kind.charge is Charge.MIX
    everywhere = np.full(states, budget.value if mix else 1.0)
    if isinstance(access, OpponentAccess) and mix:
        share = np.ones(states) if access.share is None else _shaped(game, "share", access.share, (states,))
        if ((share < 0) | (share > 1)).any():
            raise RequestError(f"{game.spec}: share must be [{states}] numbers from 0 to 1")
        return _Channel(np.ones((states, others), np.bool_), everywhere * share)
    if isinstance(access, ActionAccess) and mix and access.mode == "replace":
        if access.allowed is None:
            return _Channel(np.ones((states, actions), np.bool_), everywhere)
        allowed = _shaped(game, "allowed", access.allowed, (states, actions)) > 0
        # The last option leaves the victim's action alone, so that no attack competes where little is allowed.
        return _Channel(np.column_stack([allowed, np.ones(states, np.bool_)]), everywhere)
    if isinstance(access, ObservationAccess) and access.size is not None:
        size = _shaped(game, "size", access.size, (states, states))
        return _Channel(_within(game, size, np.eye(states, dtype=np.bool_), budget), everywhere)
    if isinstance(access, DynamicsAccess) and access.transition is not None:
        count = _alternatives(access)
        size = np.zeros((states, count + 1))  # alternative 0 is the game's own dynamics, always available
        if access.size is not None:
            size[:, 1:] = _shaped(game, "size", access.size, (states, count))
        return _Channel(_within(game, size, np.tile(np.arange(count + 1) == 0, (states, 1)), budget), everywhere)
    raise RefusedError(
        f"{part.threat} on {game.spec}: a {type(access).__name__} charged by {budget.kind.name} has no meaning on "
        "the markov form"
    )


def _within(game: MarkovGame, size: Floats, idle: Bools, budget: Budget) -> Bools:
    """Which options the budget reaches; `idle` marks those that change nothing, always available."""
    if (size[~idle] < 0).any():
        raise RequestError(f"{game.spec}: size has negative entries")
    if budget.kind.charge is Charge.MIX:
        return np.asarray(idle | np.isfinite(size))
    return idle if budget.zero else np.asarray(idle | (size <= budget.value))


def _shaped(game: MarkovGame, name: str, array: NDArray[np.generic], shape: tuple[int, ...]) -> Floats:
    found = np.asarray(array, dtype=np.float64)
    if found.shape != shape:
        raise RequestError(f"{game.spec}: {name} has shape {list(found.shape)}, expected {list(shape)}")
    if np.isnan(found).any():
        raise RequestError(f"{game.spec}: {name} has entries that are not numbers")
    return found


def _benign(game: MarkovGame, access: OpponentAccess, budget: Budget, others: int) -> Floats:
    if access.benign is None:
        if budget.value < 1.0 or access.share is not None:
            raise RequestError(
                f"{game.spec}: nothing says what the other seat does where the attacker has no control; give benign"
            )
        return np.full((game.states, others), 1.0 / others)
    if not isinstance(access.benign, MarkovPolicy):
        raise RequestError(f"{game.spec}: benign is a {access.benign.form} policy, expected a markov one")
    return _shaped(game, "benign", access.benign.probabilities, (game.states, others))


def _alternatives(access: DynamicsAccess) -> int:
    return 0 if access.transition is None else len(access.transition)


def _alternative(game: MarkovGame, access: DynamicsAccess, k: int, victim_player: int | None) -> sparse.csr_array:
    """Alternative `k` in the row order of `MarkovGame.for_seat`."""
    assert access.transition is not None
    wanted = (*game.shape, game.states)
    declared = np.asarray(access.transition[k], dtype=np.float64)
    if game.players == 1 and declared.ndim == 3:
        declared = declared[:, :, None]
    table = _shaped(game, f"alternative {k}", declared, wanted)
    if (table < 0).any() or np.abs(table.sum(axis=-1) - 1).max() > SUM_TOLERANCE:
        raise RequestError(f"{game.spec}: alternative {k} of the dynamics has rows that are no distributions")
    ordered = table.transpose(0, 2, 1, 3) if victim_player == 1 else table
    return sparse.csr_array(ordered.reshape(-1, game.states))
