"""An independent, slow derivation of everything exact on trees: plain loops and a scipy sparse matrix.

It shares no code with the compiled kernels and is what tests compare them to.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.extensive.game import ExtensiveGame, PlayerTree

Floats = NDArray[np.float64]


def blocks(tree: PlayerTree) -> list[tuple[int, int, int]]:
    """(parent sequence, first sequence, one past the last) of each information set."""
    starts = tree.offset.tolist()
    return list(zip(tree.parent.tolist(), starts[:-1], starts[1:], strict=True))


def plan(tree: PlayerTree, behaviour: Floats) -> Floats:
    """Realisation plan of a behaviour, [sequences]."""
    weights = np.zeros(tree.sequences)
    weights[0] = 1.0
    for parent, first, last in blocks(tree):
        weights[first:last] = weights[parent] * behaviour[first:last]
    return weights


def payoff_matrix(game: ExtensiveGame, seat: int) -> sparse.csr_array:
    """The victim's payoff, rows its own sequences, columns the attacker's."""
    shape = (game.trees[0].sequences, game.trees[1].sequences)
    table = sparse.coo_array((game.payoff[seat], (game.row.astype(int), game.column.astype(int))), shape=shape)
    return sparse.csr_array(table if seat == 0 else table.T)


def value(game: ExtensiveGame, seat: int, victim: Floats, attacker: Floats) -> float:
    """The victim's return of two behaviours."""
    own, other = game.trees[seat], game.trees[1 - seat]
    return float(plan(own, victim) @ (payoff_matrix(game, seat) @ plan(other, attacker)))


def worst_value(game: ExtensiveGame, seat: int, victim: Floats, benign: Floats, control: Floats) -> float:
    """`min_alpha J`: one pass from the leaves; `control` [information sets] is the budget at each."""
    tree = game.trees[1 - seat]
    quality = payoff_matrix(game, seat).T @ plan(game.trees[seat], victim)
    for share, (parent, first, last) in reversed(list(zip(control, blocks(tree), strict=True))):
        here = quality[first:last]
        quality[parent] += (1 - share) * float(benign[first:last] @ here) + share * float(here.min())
    return float(quality[0])
