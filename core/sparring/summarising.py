"""Puts the statistics of the kept returns into the records of a document."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from sparring.document import AttackRecord, CollapseRecord, FigureRecord, NominalRecord, StatisticsRecord
from sparring.statistics import REPEATS, bootstrap, interquartile_mean
from sparring.streams import stream

__all__ = ["Summary"]

Floats = NDArray[np.float64]
HALF = "half the median without attack"
GIVEN = "given"


class Summary:
    """The statistics of one evaluation: all its attacks are resampled at the same episodes."""

    def __init__(self, nominal: NominalRecord, collapse_below: float | None, seed: int) -> None:
        """Settle which returns count as collapsed.

        Args:
            nominal: the returns without attack, whose median decides where nothing is given.
            collapse_below: returns below this have collapsed; None for the nominal median less half its size.
            seed: that of the evaluation.
        """
        self._seed = seed
        self.below, self.rule = collapse_below, GIVEN
        if collapse_below is None and nominal.returns is not None:
            median = float(np.median(nominal.returns))
            self.below, self.rule = median - abs(median) / 2, HALF

    def nominal(self, record: NominalRecord) -> NominalRecord:
        """The same record with its statistics, where its returns are kept."""
        return record.model_copy(update={"statistics": self._of(record.returns)})

    def attack(self, record: AttackRecord) -> AttackRecord:
        """The same record with its statistics, where its returns are kept."""
        return record.model_copy(update={"statistics": self._of(record.returns)})

    def _of(self, returns: list[float] | None) -> StatisticsRecord | None:
        if returns is None:
            return None
        return StatisticsRecord(
            mean=self._figure(returns, lambda drawn: np.asarray(drawn.mean(axis=-1))),
            median=self._figure(returns, lambda drawn: np.asarray(np.median(drawn, axis=-1))),
            iqm=self._figure(returns, interquartile_mean),
            collapsed=self._collapsed(returns),
            bootstrap=REPEATS,
        )

    def _collapsed(self, returns: list[float]) -> CollapseRecord | None:
        below = self.below
        if below is None:
            return None
        share = self._figure(returns, lambda drawn: np.asarray((drawn < below).mean(axis=-1)))
        return CollapseRecord(value=share.value, ci95=share.ci95, below=below, rule=self.rule)

    def _figure(self, returns: list[float], aggregate: Callable[[Floats], Floats]) -> FigureRecord:
        found = bootstrap([returns], aggregate, stream(self._seed, "bootstrap"))
        return FigureRecord(value=found.value, ci95=found.ci95)
