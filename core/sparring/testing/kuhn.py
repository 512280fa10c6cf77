"""Kuhn poker in sequence form, written out by hand, so that the kit needs no game engine."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from sparring.extensive.game import ExtensiveGame, PlayerTree

__all__ = ["kuhn_poker"]

CARDS = range(3)
PASS, BET = 0, 1
NODES = 58
"""Histories: the root, three first cards, and nine positions in each of six deals."""


def kuhn_poker() -> ExtensiveGame:
    """Kuhn poker (Kuhn 1950): three cards, an ante of one, a bet of one; the first player's value is -1/18."""
    # Card by card two decisions of two actions each: sequences 1 to 4 of the lowest card, 5 to 8 of the next, ...
    # The first player decides at once, and again where it passed and the second player bet; the second player
    # decides after a pass, or after a bet.
    again = [0 if place % 2 == 0 else 1 + 4 * (place // 2) + PASS for place in range(2 * len(CARDS))]
    trees = (_tree(("", "pb"), again), _tree(("p", "b"), [0] * 2 * len(CARDS)))
    entries = dict(itertools.chain.from_iterable(_deal(*cards) for cards in itertools.permutations(CARDS, 2)))
    pairs = sorted(entries)
    payoff = np.asarray([entries[pair] for pair in pairs]) / 6
    row, column = np.asarray(pairs, dtype=np.uint32).T.copy()
    bounds = ((-2.0, 2.0), (-2.0, 2.0))
    return ExtensiveGame("kit:kuhn", trees, row, column, np.stack([payoff, -payoff]), bounds, True, NODES)


def _tree(labels: tuple[str, str], parent: Sequence[int]) -> PlayerTree:
    names = tuple(f"{card}{label}" for card in CARDS for label in labels)
    offset = np.arange(1, 2 * len(names) + 2, 2, dtype=np.uint32)
    action = np.asarray([-1, *[PASS, BET] * len(names)], dtype=np.int64)
    return PlayerTree(names, offset, np.asarray(parent, dtype=np.uint32), action)


def _deal(mine: int, yours: int) -> list[tuple[tuple[int, int], float]]:
    """The five endings of a deal: the last sequence of either player, and the first player's payoff."""
    showdown = 1.0 if mine > yours else -1.0
    first, again, passed, bet = 1 + 4 * mine, 3 + 4 * mine, 1 + 4 * yours, 3 + 4 * yours
    return [
        ((first + PASS, passed + PASS), showdown),
        ((again + PASS, passed + BET), -1.0),
        ((again + BET, passed + BET), 2 * showdown),
        ((first + BET, bet + PASS), 1.0),
        ((first + BET, bet + BET), 2 * showdown),
    ]
