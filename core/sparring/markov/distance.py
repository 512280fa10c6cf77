"""How far apart states look: the integer radius of a tabular observation attack."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csgraph, csr_array

from sparring.errors import RequestError

__all__ = ["graph_distance"]


def graph_distance(neighbours: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Count steps along shortest paths of the neighbour graph.

    Args:
        neighbours: [S, S]; `neighbours[s, o]` says that `s` can look like `o` at a distance of 1. It need not be
            symmetric; the diagonal does not matter.

    Returns:
        [S, S]: steps from `s` to `o`, 0 on the diagonal and inf where there is no path.

    Raises:
        RequestError: the graph is not square.
    """
    graph = np.asarray(neighbours, dtype=np.bool_)
    if graph.ndim != 2 or graph.shape[0] != graph.shape[1]:
        raise RequestError(f"neighbours: shape {list(graph.shape)}, expected [states, states]")
    steps = csgraph.shortest_path(csr_array(graph.astype(np.float64)), method="D", unweighted=True)
    return np.asarray(steps, dtype=np.float64)
