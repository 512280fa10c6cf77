"""Two-player soccer on a grid (Littman 1994, "Markov games as a framework for multi-agent reinforcement learning")."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from sparring.errors import RequestError
from sparring.markov.game import MarkovGame

__all__ = ["soccer"]

ROWS, COLUMNS = 4, 5
GOAL_ROWS = (1, 2)
MOVES = ((-1, 0), (1, 0), (0, 1), (0, -1), (0, 0))
"""North, south, east, west, stand."""
START = ((2, 1), (1, 3))
"""Where players 0 and 1 stand after every goal: half a turn of the board swaps them."""


class _Board(NamedTuple):
    cells: tuple[tuple[int, int], tuple[int, int]]
    owner: int


def soccer(gamma: float = 0.9) -> MarkovGame:
    """Littman's soccer as a zero-sum Markov game: 760 states, 5 actions a player.

    The rules as chosen here, where the paper leaves room:

    - The board has 4 rows and 5 columns; players 0 and 1 stand on different cells and one has the ball. Player 0
      scores through the east side of the two middle rows, player 1 through their west side.
    - Both choose north, south, east, west or stand at once; the two moves are then carried out in random order,
      each order with probability 1/2.
    - A move onto the other player's cell does not take place, and the player standing there has the ball after it.
    - A player with the ball who moves through the goal it attacks scores: +1 for that player and -1 for the other.
      The round ends there, and the next one starts from row 3, column 2 (player 0) and row 2, column 4 (player 1)
      with the ball given to either with probability 1/2. The game goes on for ever, discounted.
    - Any other move off the board, through one's own goal too, leaves the player where it is.

    The start distribution is that of a round. The rules are the same for both, so the value is 0.

    Raises:
        RequestError: `gamma` lies outside [0, 1).
    """
    if not 0 <= gamma < 1:
        raise RequestError(f"markov:soccer: gamma is {gamma}, expected a number from 0 to below 1")
    boards = _boards()
    index = {board: number for number, board in enumerate(boards)}
    start = np.zeros(len(boards))
    start[[index[_Board(START, owner)] for owner in (0, 1)]] = 0.5
    table, reward = _tables(boards, index, start)
    return MarkovGame(
        spec="markov:soccer" if gamma == 0.9 else f"markov:soccer(gamma={gamma!r})",
        shape=(len(boards), len(MOVES), len(MOVES)),
        transition=table,
        reward=np.stack([reward, -reward]),
        rho=start,
        gamma=gamma,
        state_names=tuple(_name(board) for board in boards),
    )


def _boards() -> list[_Board]:
    cells = [(row, column) for row in range(ROWS) for column in range(COLUMNS)]
    return [
        _Board((first, second), owner) for first in cells for second in cells for owner in (0, 1) if first != second
    ]


def _tables(
    boards: list[_Board], index: dict[_Board, int], start: NDArray[np.float64]
) -> tuple[sparse.csr_array, NDArray[np.float64]]:
    """Transitions [S * 5 * 5, S] and player 0's expected reward [S, 5, 5]."""
    rows, columns, weights = [], [], []
    reward = np.zeros((len(boards), len(MOVES), len(MOVES)))
    restart = [(int(state), float(start[state])) for state in np.flatnonzero(start)]
    for row, (state, actions) in enumerate((board, pair) for board in boards for pair in _pairs()):
        for after, goal in _outcomes(state, actions):
            reward[np.unravel_index(row, reward.shape)] += 0.5 * goal
            for column, chance in restart if after is None else [(index[after], 1.0)]:
                rows.append(row)
                columns.append(column)
                weights.append(0.5 * chance)
    # Entries of the same place add up when the coordinates become rows.
    table = sparse.coo_array((weights, (rows, columns)), shape=(reward.size, len(boards)))
    return sparse.csr_array(table), reward


def _pairs() -> Iterator[tuple[int, int]]:
    return ((first, second) for first in range(len(MOVES)) for second in range(len(MOVES)))


def _outcomes(board: _Board, actions: tuple[int, int]) -> Iterator[tuple[_Board | None, int]]:
    """For each order of moves the board that follows and player 0's reward; no board after a goal."""
    for order in ((0, 1), (1, 0)):
        after, goal = board, 0
        for player in order:
            if goal == 0:
                after, goal = _move(after, player, actions[player])
        yield (None if goal else after), goal


def _move(board: _Board, player: int, action: int) -> tuple[_Board, int]:
    """One player's move, and player 0's reward for it."""
    (row, column), (down, right) = board.cells[player], MOVES[action]
    beside = (row + down, column + right)
    attacked = COLUMNS if player == 0 else -1
    if beside[1] == attacked and row in GOAL_ROWS and board.owner == player:
        return board, 1 if player == 0 else -1
    if action == len(MOVES) - 1 or not (0 <= beside[0] < ROWS and 0 <= beside[1] < COLUMNS):
        return board, 0
    other = board.cells[1 - player]
    if beside == other:
        return _Board(board.cells, 1 - player), 0
    return _Board((beside, other) if player == 0 else (other, beside), board.owner), 0


def _name(board: _Board) -> str:
    (row, column), (row1, column1) = board.cells
    return f"0 at {row + 1},{column + 1}; 1 at {row1 + 1},{column1 + 1}; ball with {board.owner}"
