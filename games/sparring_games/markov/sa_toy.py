"""The three-state example of an SA-MDP (thesis, section 6.2.2)."""

from __future__ import annotations

import numpy as np

from sparring.markov.game import MarkovGame

__all__ = ["sa_toy"]

ARROWS = {
    (0, 0): (0, 0.0),
    (0, 1): (1, 1.0),
    (1, 0): (1, 1.0),
    (1, 1): (2, 0.0),
    (2, 0): (2, 1.0),
    (2, 1): (0, 0.0),
}
"""(state, action) to (next state, reward), as figure 6.2 draws them: the transitions printed in the text
contradict the values stated there."""


def sa_toy(gamma: float = 0.99) -> MarkovGame:
    """Three states in a ring; A1 stays, A2 moves on; every state rewards one of the two.

    All states are neighbours, so an observation radius of 1 shows the victim any state. Values at `gamma` .99:
    100 for the best policy and 0 once it is attacked, 50 for the uniform policy either way, and 33.67, 33.00
    and 33.33 for always A2.

    Raises:
        RequestError: `gamma` lies outside [0, 1).
    """
    transition, reward = np.zeros((3, 2, 3)), np.zeros((3, 2))
    for (state, action), (following, gain) in ARROWS.items():
        transition[state, action, following] = 1.0
        reward[state, action] = gain
    spec = "markov:sa-toy" if gamma == 0.99 else f"markov:sa-toy(gamma={gamma!r})"
    neighbours = ~np.eye(3, dtype=np.bool_)
    return MarkovGame.from_arrays(
        spec, transition, reward, gamma=gamma, neighbours=neighbours, state_names=("S1", "S2", "S3")
    )
