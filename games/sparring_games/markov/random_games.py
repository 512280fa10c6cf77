"""Random zero-sum Markov games from a seed."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sparring.errors import RequestError
from sparring.markov.game import MarkovGame

__all__ = ["random_zero_sum"]


def random_zero_sum(
    *,
    states: int = 5,
    actions: int = 3,
    actions1: int = 3,
    gamma: float = 0.9,
    seed: int = 0,
    branching: int | None = None,
) -> MarkovGame:
    """Draw a two-player zero-sum Markov game; the same arguments give the same game.

    Player 0's expected rewards are uniform on [0, 1] and player 1 gets their negatives. Next states are
    `branching` different states drawn without preference (all of them if None), with probabilities uniform on
    their simplex. The start distribution is uniform.

    Raises:
        RequestError: a count below 1, `branching` above `states`, or `gamma` outside [0, 1).
    """
    counts = {"states": states, "actions": actions, "actions1": actions1, "branching": branching}
    for name, count in counts.items():
        if count is not None and count < 1:
            raise RequestError(f"markov:random-zero-sum: {name} is {count}, expected 1 or more")
    width = states if branching is None else branching
    if width > states:
        raise RequestError(f"markov:random-zero-sum: branching is {width}, expected at most states, {states}")
    if seed < 0:
        raise RequestError(f"markov:random-zero-sum: seed is {seed}, expected 0 or more")
    rng = np.random.default_rng(seed)
    rows = states * actions * actions1
    following = np.tile(np.arange(states), (rows, 1))
    if branching is not None:
        following = np.array([rng.choice(states, width, replace=False) for _ in range(rows)])
    chances = rng.dirichlet(np.ones(width), size=rows)
    starts = np.arange(0, rows * width + 1, width)
    table = sparse.csr_array((chances.ravel(), following.ravel(), starts), shape=(rows, states))
    table.sort_indices()
    reward = rng.random((states, actions, actions1))
    given = f"states={states}, actions={actions}, actions1={actions1}, gamma={gamma!r}, seed={seed}"
    more = "" if branching is None else f", branching={branching}"
    return MarkovGame(
        spec=f"markov:random-zero-sum({given}{more})",
        shape=(states, actions, actions1),
        transition=table,
        reward=np.stack([reward, -reward]),
        rho=np.full(states, 1.0 / states),
        gamma=gamma,
    )
