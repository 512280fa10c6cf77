"""Charges a mixing budget into an extensive-form game."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sparring.access import ChargedAccess, Coin, OpponentAccess
from sparring.budgets import Charge
from sparring.errors import RefusedError, RequestError
from sparring.extensive.game import ExtensiveGame, PlayerTree
from sparring.extensive.policy import TreePolicy

__all__ = ["ChargedTree", "charge"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ChargedTree:
    """A game in which the attacker plays `(1 - control) * benign + control * alpha` at each information set."""

    game: ExtensiveGame
    """The game whose payoffs the two play for; a per-episode coin is already in them."""
    unattacked: ExtensiveGame
    """The game as it was."""
    seat: int
    """The victim's."""
    control: Floats
    """The attacker's part of each of its information sets, [information sets], in [0, 1]."""
    benign: Floats | None
    """The benign behaviour, [attacker's sequences]; None where the attacker has full control."""

    @property
    def attacker(self) -> PlayerTree:
        """The attacker's information sets and sequences."""
        return self.game.trees[1 - self.seat]

    @property
    def victim(self) -> PlayerTree:
        """The victim's information sets and sequences."""
        return self.game.trees[self.seat]

    @cached_property
    def part(self) -> Floats:
        """The attacker's part at each of its sequences, [sequences]; 1 for the empty one."""
        return np.concatenate([np.ones(1), np.repeat(self.control, self.attacker.sizes)])

    def deployed(self, proposal: Floats) -> Floats:
        """What the attacker's seat really does when the attacker proposes `proposal`, [sequences] (eq 3.2)."""
        if self.benign is None:
            return proposal
        return (1 - self.part) * self.benign + self.part * proposal

    def proposed(self, deployed: Floats) -> Floats:
        """The proposal that is deployed as `deployed`, [sequences]; the benign one where it makes no difference."""
        if self.benign is None:
            return deployed
        held = self.part > 0
        rest = deployed - (1 - self.part) * self.benign
        return np.where(held, np.maximum(rest, 0.0) / np.where(held, self.part, 1.0), self.benign)

    def benign_or_refuse(self) -> Floats:
        """The benign behaviour.

        Raises:
            RequestError: there is none, so that nothing says what happens without an attack.
        """
        if self.benign is None:
            raise RequestError(f"{self.game.spec}: no benign policy was given, so there is no value without attack")
        return self.benign


def charge(game: ExtensiveGame, charged: Sequence[ChargedAccess], seat: int) -> ChargedTree:
    """Turn one partial control with its budget into a charged tree.

    Raises:
        RefusedError: any other access, or several.
        RequestError: a benign policy is missing or does not fit, or `share` has the wrong shape.
    """
    if len(charged) != 1:
        raise RefusedError(f"{game.spec}: the extensive form takes one threat, not {len(charged)}")
    part, access = charged[0], charged[0].access
    if not isinstance(access, OpponentAccess) or part.budget.kind.charge is not Charge.MIX:
        raise RefusedError(
            f"{part.threat} on {game.spec}: a {type(access).__name__} charged by {part.budget.kind.name} has no "
            "meaning on the extensive form"
        )
    tree, eps = game.trees[1 - seat], part.budget.value
    benign = _benign(game, access, 1 - seat)
    share = np.ones(len(tree.infosets)) if access.share is None else _share(game, access.share, len(tree.infosets))
    if benign is None and (eps < 1 or (share < 1).any()):
        raise RequestError(f"{game.spec}: a budget below 1 needs a benign policy for the other seat")
    if access.coin is Coin.EPISODE:
        played = game if benign is None else _toss_once(game, seat, benign, eps)
        return ChargedTree(played, game, seat, share, benign)
    return ChargedTree(game, game, seat, eps * share, benign)


def _benign(game: ExtensiveGame, access: OpponentAccess, player: int) -> Floats | None:
    policy = access.benign
    if policy is None:
        return None
    if not isinstance(policy, TreePolicy) or policy.tree.infosets != game.trees[player].infosets:
        raise RequestError(f"{game.spec}: benign is not a policy of seat {player} of this game")
    return policy.probabilities


def _share(game: ExtensiveGame, share: Floats, infosets: int) -> Floats:
    found = np.asarray(share, dtype=np.float64)
    if found.shape != (infosets,) or not ((found >= 0) & (found <= 1)).all():
        raise RequestError(f"{game.spec}: share must be [{infosets}] numbers from 0 to 1, got {list(found.shape)}")
    return found


def _toss_once(game: ExtensiveGame, seat: int, benign: Floats, eps: float) -> ExtensiveGame:
    """`(1 - eps) v(benign) + eps v(alpha)` as payoffs of one game: entries of the attacker's empty sequence.

    Whatever the attacker does its empty sequence has weight 1, so the benign part stands there.
    """
    attacker = game.trees[1 - seat]
    own, other = (game.row, game.column) if seat == 0 else (game.column, game.row)
    weights = np.zeros(attacker.sequences)
    weights[0] = 1.0
    for parent, first, last in zip(attacker.parent, attacker.offset[:-1], attacker.offset[1:], strict=True):
        weights[first:last] = weights[parent] * benign[first:last]
    gain = np.bincount(own, weights=game.payoff[seat] * weights[other], minlength=game.trees[seat].sequences)
    extra = np.flatnonzero(gain).astype(np.uint32)
    none = np.zeros(len(extra), np.uint32)
    row = np.concatenate([game.row, extra if seat == 0 else none])
    column = np.concatenate([game.column, none if seat == 0 else extra])
    entries = np.concatenate([eps * game.payoff[seat], (1 - eps) * gain[extra]])
    pair = row.astype(np.uint64) * np.uint64(game.trees[1].sequences) + column
    unique, place = np.unique(pair, return_inverse=True)
    summed = np.bincount(place, weights=entries, minlength=len(unique))
    return replace(
        game,
        row=(unique // np.uint64(game.trees[1].sequences)).astype(np.uint32),
        column=(unique % np.uint64(game.trees[1].sequences)).astype(np.uint32),
        payoff=np.stack([summed, -summed] if seat == 0 else [-summed, summed]),
    )
