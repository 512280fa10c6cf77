"""What the named Markov games may be told."""

from __future__ import annotations

from pydantic import Field

from sparring.plugin import PluginOptions, unit
from sparring_games.markov.grid_traps import LAYOUT

__all__ = ["GridTrapsOptions", "RandomOptions", "SaToyOptions", "SoccerOptions"]

GAMMA = "discount of later rewards"


class SaToyOptions(PluginOptions):
    """Of `sa-toy`."""

    gamma: float = Field(0.99, ge=0, lt=1, description=GAMMA, json_schema_extra=unit("per step"))


class GridTrapsOptions(PluginOptions):
    """Of `grid-traps`."""

    layout: str = Field(LAYOUT, description="rows parted by /: S start, G target, T trap, # wall, . free")
    gamma: float = Field(0.9, ge=0, lt=1, description=GAMMA, json_schema_extra=unit("per step"))


class SoccerOptions(PluginOptions):
    """Of `soccer`."""

    gamma: float = Field(0.9, ge=0, lt=1, description=GAMMA, json_schema_extra=unit("per step"))


class RandomOptions(PluginOptions):
    """Of `random-zero-sum`."""

    states: int = Field(5, ge=1, description="how many", json_schema_extra=unit("states"))
    actions: int = Field(3, ge=1, description="of seat 0", json_schema_extra=unit("actions"))
    actions1: int = Field(3, ge=1, description="of seat 1", json_schema_extra=unit("actions"))
    gamma: float = Field(0.9, ge=0, lt=1, description=GAMMA, json_schema_extra=unit("per step"))
    seed: int = Field(0, ge=0, description="which of all such games")
    branching: int | None = Field(
        None,
        ge=1,
        description="next states of each state and pair of actions; all if none",
        json_schema_extra=unit("states"),
    )
