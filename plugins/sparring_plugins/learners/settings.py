"""What can be chosen about PPO; loads without torch."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from sparring.plugin import PluginOptions, unit

__all__ = ["PpoSettings", "Recipe"]

Size = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, le=1)]
Above = Annotated[float, Field(gt=0)]
NotBelow = Annotated[float, Field(ge=0)]


class Recipe(PluginOptions):
    """How PPO learns (Schulman et al. 2017); the defaults are those of thesis 6.7.2.1 where it states them."""

    network: Literal["mlp", "lstm"] = Field("mlp", description="kind of both actor and critic")
    hidden: tuple[Size, ...] = Field(
        (64, 64), min_length=1, json_schema_extra=unit("neurons"),
        description="sizes of the hidden layers; of the embedding and of the state for an lstm",
    )  # fmt: skip
    activation: Literal["tanh", "relu"] = Field("tanh", description="after each hidden layer of an mlp")
    initial_log_std: float = Field(0.0, ge=-10, le=5, description="logarithm of the deviation that drawing starts with")

    initial_gain: NotBelow = Field(
        0.01, description="of the actor's last layer: how far from 0 its outputs start, in all states alike if small"
    )

    rollout: Size = Field(2048, json_schema_extra=unit("simulator steps"), description="over all episodes, an update")
    epochs: Size = Field(10, description="times that each rollout is gone through")
    batch: Size = Field(64, json_schema_extra=unit("steps"), description="of each minibatch")
    sequence: Size = Field(64, json_schema_extra=unit("steps"), description="longest piece an lstm learns from")

    learning_rate: Above = Field(3e-4, le=1, description="step size of Adam")
    anneal: bool = Field(True, description="lower the step size to 0 in a line while training")
    discount: Share = Field(0.99, json_schema_extra=unit("per step"), description="of rewards a step later")
    trace: Share = Field(0.95, description="lambda of generalised advantages (Schulman et al. 2016)")
    clip: Above = Field(0.2, le=1, description="how far from 1 a ratio of probabilities still has a gradient")
    value_clip: Above | None = Field(None, description="how far a value may move in an update; None for any")
    value_weight: NotBelow = Field(0.5, description="of half the squared error of values")
    entropy_weight: NotBelow = Field(0.0, description="of the entropy bonus")
    gradient_limit: Above = Field(0.5, description="greatest Euclidean norm of a gradient")
    standardise_advantages: bool = Field(True, description="mean 0 and deviation 1 in each minibatch")

    normalise_observations: bool = Field(True, description="by the mean and deviation of all seen before the rollout")
    observation_clip: Above = Field(
        10.0, json_schema_extra=unit("deviations"), description="how far normalised observations reach"
    )
    normalise_rewards: bool = Field(True, description="by the deviation of the discounted return")
    reward_clip: Above = Field(
        10.0, json_schema_extra=unit("deviations"), description="how far normalised rewards reach"
    )
    carry_on: bool = Field(True, description="episodes go on from update to update, which needs a world with `save`")

    @field_validator("hidden", mode="before")
    @classmethod
    def _sizes(cls, given: object) -> object:
        """Specs hold no lists: `64-64` stands for two sizes."""
        if isinstance(given, str | int):
            parts = str(given).strip("()").replace(",", "-").split("-")
            return tuple(int(part) if part.strip().isdigit() else part for part in parts if part.strip())
        return given

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.network == "lstm" and len(self.hidden) != 2:
            raise ValueError(f"hidden {self.hidden}: an lstm has two sizes, of its embedding and of its state")
        return self


class PpoSettings(Recipe):
    """Settings of PPO: how it learns, and how what it learned acts."""

    actions: Literal["raw", "clipped", "hardtanh"] = Field(
        "clipped",
        description="how drawn numbers become actions: as they are, clipped to the limits, or [-1, 1] stretched to "
        "the limits and clipped there, which is what a learned adversary does",
    )
    snapshots: Literal["sample", "mean"] = Field(
        "sample", description="whether policies handed out draw as the learner does, or take the mean or likeliest"
    )
