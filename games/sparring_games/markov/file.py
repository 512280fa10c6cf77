"""Markov games from arrays in an npz or JSON file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, nearest
from sparring.markov.game import MarkovGame
from sparring_games.array_files import read_arrays

__all__ = ["from_file"]

REQUIRED = ("transition", "reward", "gamma")
OPTIONAL = ("rho", "neighbours", "state_names")


def from_file(path: str | Path) -> MarkovGame:
    """Read a one- or two-player Markov game.

    The file is an npz or a JSON object with the keys `transition`, `reward` and `gamma`, and if wanted `rho`
    (uniform where left out), `neighbours` (0 and 1, or false and true) and `state_names`; shapes as in
    `MarkovGame.from_arrays`. Nothing in it is ever executed: an npz with pickled objects is refused.

    Raises:
        RequestError: the file is missing or unreadable, a key is missing or unknown, an entry is not a finite
            number, a shape is wrong, or a row of `transition` is no distribution.
    """
    place = Path(path)
    data = read_arrays(place, lists=("state_names",))
    spec = f"markov:{place}"
    for key in data:
        if key not in REQUIRED + OPTIONAL:
            raise RequestError(f"{spec}: unknown key {key!r}; {nearest(key, REQUIRED + OPTIONAL)}")
    for key in REQUIRED:
        if key not in data:
            raise RequestError(f"{spec}: key {key!r} is missing; it needs {', '.join(REQUIRED)}")
    gamma = np.asarray(data["gamma"])
    if gamma.size != 1:
        raise RequestError(f"{spec}: gamma has shape {list(gamma.shape)}, expected one number")
    return MarkovGame.from_arrays(
        spec,
        data["transition"],
        data["reward"],
        gamma=float(gamma.ravel()[0]),
        rho=data.get("rho"),
        neighbours=_neighbours(spec, data),
        state_names=tuple(data["state_names"]) if "state_names" in data else None,
    )


def _neighbours(spec: str, data: Mapping[str, Any]) -> NDArray[np.bool_] | None:
    if "neighbours" not in data:
        return None
    table = np.asarray(data["neighbours"])
    odd = np.argwhere((table != 0) & (table != 1))
    if len(odd):
        raise RequestError(f"{spec}: neighbours at {odd[0].tolist()} is {table[tuple(odd[0])]}, expected 0 or 1")
    return np.asarray(table != 0)
