"""What can be chosen about attackers that learn by reinforcement; loads without torch."""

from __future__ import annotations

from pydantic import Field

from sparring.plugin import unit
from sparring_plugins.learners.settings import Recipe

__all__ = ["LearningOptions"]


class LearningOptions(Recipe):
    """How much to train and how to keep it, and every setting of the learner."""

    steps: int = Field(
        500_000, ge=1, json_schema_extra=unit("simulator steps"), description="of training; an effort goes before it"
    )
    episodes: int = Field(16, ge=1, json_schema_extra=unit("episodes"), description="trained in side by side")
    starts: int = Field(
        1, ge=1, json_schema_extra=unit("networks"),
        description="untrained networks to try; training begins with the one that does most harm",
    )  # fmt: skip
    select_every: int = Field(
        0,
        ge=0,
        json_schema_extra=unit("simulator steps"),
        description="training between two scorings, of which the best attacker is kept; 0 for a twentieth of it all, "
        "or for as much as a scoring takes if that is more",
    )
    select_episodes: int = Field(10, ge=2, json_schema_extra=unit("episodes"), description="of each scoring")
    checkpoint: str = Field("", description="file to keep the training in, and to go on from where it exists")
    save: str = Field("", description="NAME of the files that hold the attacker, which `file:` reads")
    log: str = Field("", description="CSV file of every update")
