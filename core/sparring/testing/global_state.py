"""The global random generators, which no plugin may touch."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from sparring.sameness import fingerprint

__all__ = ["watched"]


@contextmanager
def watched(seed: int) -> Iterator[list[str]]:
    """Put the global generators of Python, numpy and (where it is loaded) torch into a state of the kit's for a while.

    Yields:
        A list that names, once the block has ended, those whose state has changed meanwhile.
    """
    before = _generators()
    saved = {name: read() for name, (read, _, _) in before.items()}
    for _, _, sow in before.values():
        sow(seed)
    states = {name: fingerprint(read()) for name, (read, _, _) in before.items()}
    touched: list[str] = []
    try:
        yield touched
        touched += [name for name, (read, _, _) in before.items() if fingerprint(read()) != states[name]]
    finally:
        for name, (_, write, _) in before.items():
            write(saved[name])


def _generators() -> dict[str, tuple[Callable[[], Any], Callable[[Any], object], Callable[[int], object]]]:
    """How each is read, written and seeded."""
    found: dict[str, tuple[Callable[[], Any], Callable[[Any], object], Callable[[int], object]]] = {
        "python's random": (random.getstate, random.setstate, random.seed),
        "numpy.random": (np.random.get_state, np.random.set_state, np.random.seed),
    }
    torch: Any = sys.modules.get("torch")
    if torch is not None:
        found["torch"] = (torch.get_rng_state, torch.set_rng_state, torch.manual_seed)
    return found
