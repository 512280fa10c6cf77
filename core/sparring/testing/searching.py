"""The search for a counterexample: hypothesis where it is installed, else as many seeded trials."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable

import numpy as np

__all__ = ["search"]

Trial = Callable[[float, np.random.Generator], None]


def search(trial: Trial, size: int) -> None:
    """Call `trial(part, rng)` for `size` values of `part` in [0, 1], the ends among them; the same ones every time.

    Args:
        trial: raises where it finds something wrong.
        size: how many trials; hypothesis spends more only to make a counterexample simpler.
    """
    if importlib.util.find_spec("hypothesis") is None:
        _seeded(trial, size)
    else:
        _hypothesis(trial, size)


def _seeded(trial: Trial, size: int) -> None:
    rng = np.random.default_rng(23)
    for part in (0.0, 1.0, *rng.random(max(0, size - 2))):
        trial(float(part), np.random.default_rng(rng.integers(2**32)))


def _hypothesis(trial: Trial, size: int) -> None:
    from hypothesis import HealthCheck, Phase, given, settings
    from hypothesis import strategies as st

    @settings(
        max_examples=size,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        print_blob=False,
    )
    @given(part=st.floats(0, 1, allow_subnormal=False), seed=st.integers(0, 2**32 - 1))
    def tried(part: float, seed: int) -> None:
        trial(part, np.random.default_rng(seed))

    tried()
