"""The five forms a game can have; the form decides what can be computed exactly."""

from __future__ import annotations

from enum import StrEnum

__all__ = ["Form"]


class Form(StrEnum):
    """How a game is given. `matrix`, `markov` and `extensive` are exact; the others are sampled."""

    MATRIX = "matrix"
    MARKOV = "markov"
    EXTENSIVE = "extensive"
    SIMULATED = "simulated"
    DATASET = "dataset"

    @property
    def exact(self) -> bool:
        """Whether values and best responses on this form are computed, not sampled."""
        return self in (Form.MATRIX, Form.MARKOV, Form.EXTENSIVE)
