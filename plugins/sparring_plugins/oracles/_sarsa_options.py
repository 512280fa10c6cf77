"""What can be chosen about attacks by a robust critic; loads without torch."""

from __future__ import annotations

from itertools import product
from typing import Literal

from pydantic import Field

from sparring.plugin import PluginOptions, unit
from sparring_plugins.critics.settings import CriticSettings
from sparring_plugins.oracles._numbers import Positive, Whole

__all__ = ["SarsaOptions"]


class SarsaOptions(PluginOptions):
    """Options that `robust-sarsa` and `rs+mad` share; defaults follow the published ones where there are any."""

    weights: Positive = Field(
        (0.3, 3.0, 10.0),
        description="regularisation weights to try, lambda_RS; values are scaled to a deviation of 1",
    )
    radii: Positive = Field((0.05,), description="radii to try, of the action's ball, as parts of its range")
    starts: Whole = Field(
        (0,),
        description="first weights of the critic to try, by number; critics that differ in chance alone differ much",
    )
    bounds: str = Field(
        "crown-ibp",
        description="bound backend for the inner maximum, or `sgld` for Langevin dynamics; `crown-ibp` goes from "
        "backward bounds to intervals while the radius grows",
    )
    transitions: int = Field(
        61_440, ge=256, le=10_000_000, description="steps of the victim to learn from, with each of the spreads",
        json_schema_extra=unit("simulator steps", searched=False),
    )  # fmt: skip
    spreads: Positive = Field(
        (1.0, 3.0),
        description="noises in the actions meanwhile to try, in units of the victim's own deviation, or of a twentieth "
        "of the range where it has none; a victim that draws its actions gets what its own noise lacks of that",
    )
    discount: float = Field(0.99, ge=0, le=1, description="of later rewards", json_schema_extra=unit("per step"))
    trace: float = Field(0.0, ge=0, le=1, description="lambda of the returns that values are drawn to; 0 for Sarsa")
    epochs: int = Field(
        30, ge=1, le=10_000, description="times that all transitions are gone through",
        json_schema_extra=unit("passes", searched=False),
    )  # fmt: skip
    batch: int = Field(
        256, ge=1, le=65_536, description="of each step of Adam", json_schema_extra=unit("transitions", searched=False)
    )
    learning_rate: float = Field(1e-3, gt=0, le=1, description="step size of Adam; it falls in the last third")
    hidden: int = Field(
        64, ge=1, le=4096, description="of each of the two hidden layers",
        json_schema_extra=unit("neurons", searched=False),
    )  # fmt: skip
    steps: int = Field(
        10,
        ge=1,
        le=1000,
        description="steps of the attack from each start",
        json_schema_extra=unit("steps", searched=False),
    )
    rate: float = Field(0.0, ge=0, le=2, description="length of such a step in units of the budget; 0 for 1 / steps")
    restarts: int = Field(
        1,
        ge=1,
        le=100,
        description="starts; the one that ends highest counts",
        json_schema_extra=unit("starts", searched=False),
    )
    noise: Literal["none", "langevin"] = Field("none", description="noise in the steps of the attack")
    selection: int = Field(
        8, ge=2, le=10_000, description="episodes on which critics are compared with one another and with noise",
        json_schema_extra=unit("episodes", searched=False),
    )  # fmt: skip
    keep: str = Field("", description="a folder that keeps transitions and critics, and from which training goes on")

    def critics(self) -> list[CriticSettings]:
        """The critics to train: every weight with every radius, start and spread."""
        return [
            CriticSettings(
                weight=weight,
                radius=radius,
                start=start,
                spread=spread,
                bounds=self.bounds,
                discount=self.discount,
                trace=self.trace,
                hidden=self.hidden,
                epochs=self.epochs,
                batch=self.batch,
                rate=self.learning_rate,
            )
            for spread, weight, radius, start in product(self.spreads, self.weights, self.radii, self.starts)
        ]
