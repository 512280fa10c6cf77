"""What the JSON beside a network's tensors says of it: architecture, normalisation, and how outputs become actions."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from sparring.errors import RequestError, nearest
from sparring_plugins.networks.normaliser import Normaliser

__all__ = ["Gives", "Reading", "made_for", "read_description"]

Gives = Literal["mean", "action", "logits", "values", "direction"]
"""What the network's outputs are: the mean of a Gaussian, the action itself, logits, action values, or an adversary's
changes between -1 and 1 in units of the budget."""
WORDS: tuple[tuple[str, Gives], ...] = (
    ("diagonal gaussian", "mean"), ("deterministic", "action"), ("categorical", "logits"), ("values", "values"),
)  # fmt: skip
"""How the description of an action distribution begins, and what the outputs then are."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A description, understood."""

    architecture: Mapping[str, Any]
    prefix: str
    """What stands before the names of the network's tensors."""
    gives: Gives
    sampled: bool
    """Whether it draws its actions; else it takes the mean, or what has the greatest output."""
    clipped: bool
    """Whether its actions are clipped to the action space."""
    rescaled: bool
    """Whether its actions are stretched from [-1, 1] to the action space."""
    normaliser: Normaliser | None


def read_description(told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], who: str) -> Reading:
    """Understand a description.

    Raises:
        RequestError: something that is needed is missing or is none of the known words.
    """
    architecture, prefix = _architecture(told, tensors, who)
    gives, sampled = _actions(told, who)
    return Reading(
        architecture=architecture,
        prefix=prefix,
        gives=gives,
        sampled=sampled,
        clipped=bool(told.get("clip_action", False)),
        rescaled=bool(told.get("rescale_action", False)),
        normaliser=_normaliser(told, tensors, who),
    )


def _architecture(
    told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], who: str
) -> tuple[Mapping[str, Any], str]:
    network = told.get("policy")
    if isinstance(network, Mapping):
        return network, "" if network.get("kind") == "conv-gru" else "policy."
    words = told.get("architecture")
    if not isinstance(words, Mapping) or "gru" not in words:
        raise RequestError(f"{who}: its description has no 'policy' with the network's architecture")
    steps = dict(re.findall(r"(stride|padding) (\d+)", " ".join(str(word) for word in words.values())))
    filters = [name for name in sorted(tensors) if re.fullmatch(r"conv\d+\.weight", name)]
    if not filters or "gru.weight_hh" not in tensors or "policy.bias" not in tensors:
        raise RequestError(f"{who}: its tensors are not those of convolutions with a gru")
    return {
        "kind": "conv-gru",
        "input": words.get("input"),
        "channels": [len(tensors[name]) for name in filters],
        "kernel": int(tensors[filters[0]].shape[-1]),
        "stride": int(steps.get("stride", 1)),
        "padding": int(steps.get("padding", 0)),
        "hidden": int(tensors["gru.weight_hh"].shape[-1]),
        "out": len(tensors["policy.bias"]),
        "activation": "elu",
    }, ""


def _actions(told: Mapping[str, Any], who: str) -> tuple[Gives, bool]:
    """What the outputs are, and whether actions are drawn."""
    distribution = told.get("action_distribution")
    kind = distribution.get("kind") if isinstance(distribution, Mapping) else None
    if told.get("role") == "adversary" and kind != "categorical":  # one of the victim's choices is proposed as such
        return "direction", False
    if not isinstance(distribution, Mapping) or not isinstance(kind, str):
        raise RequestError(f"{who}: its description has no 'action_distribution' with a kind")
    found = [gives for start, gives in WORDS if kind.startswith(start)]
    if not found:
        raise RequestError(f"{who}: unknown action distribution {kind!r}; {nearest(kind, [word for word, _ in WORDS])}")
    acts = distribution.get("acts")
    if acts not in (None, "mean", "greedy", "sample"):
        raise RequestError(f"{who}: acts {acts!r}, choose from: greedy, mean, sample")
    if found[0] in ("action", "values"):
        return found[0], False
    if acts is not None:
        return found[0], acts == "sample"
    # Published agents say so in words; one that says nothing acts as its distribution does.
    return found[0], not str(distribution.get("evaluate", "")).startswith("deterministic")


def _normaliser(told: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]], who: str) -> Normaliser | None:
    rule = told.get("observation_normalisation")
    held = [name for name in ("obs_mean", "obs_std") if name in tensors]
    if rule is None and held:
        raise RequestError(
            f"{who}: holds {held[0]!r}, and its description does not say how it normalises; give it "
            "'observation_normalisation', with the formula 'none' if it does not"
        )
    if rule is None or (isinstance(rule, Mapping) and str(rule.get("formula", "")).startswith("none")):
        return None
    if not isinstance(rule, Mapping):
        raise RequestError(f"{who}: 'observation_normalisation' is no mapping")
    if len(held) < 2:
        missing = "obs_std" if "obs_mean" in held else "obs_mean"
        raise RequestError(f"{who}: its description normalises observations, and the tensor {missing!r} is missing")
    added = rule.get("epsilon")
    if added is None:
        written = re.search(r"std\s*\+\s*([0-9.]+(?:e-?\d+)?)", str(rule.get("formula", "")))
        added = float(written[1]) if written else 0.0
    clip = rule.get("clip")
    try:
        deviation = tensors["obs_std"].astype(np.float64) + float(added)
        return Normaliser(tensors["obs_mean"], deviation, None if clip is None else float(clip))
    except (TypeError, ValueError) as error:
        raise RequestError(f"{who}: its normalisation is not made of numbers: {error}") from error
    except RequestError as error:
        raise RequestError(f"{who}: {error}") from error


def made_for(told: Mapping[str, Any]) -> str | None:
    """The spec of the game that a description says the agent was trained for, where it says so."""
    world = told.get("environment")
    identifier = world.get("modern_id") if isinstance(world, Mapping) else None
    if not isinstance(world, Mapping) or not isinstance(identifier, str):
        return None
    given = world.get("modern_kwargs")
    options = dict(cast("Mapping[str, Any]", given)) if isinstance(given, Mapping) else {}
    family, name = "gym", identifier
    if identifier.startswith("ALE/"):
        family, name = "ale", identifier.removeprefix("ALE/").removesuffix("-v5")
        if "80x80" in json.dumps(told.get("preprocessing", "")):
            options["preprocessing"] = "crop80"
    texts = [f"{key}={_text(value)}" for key, value in sorted(options.items())]
    return f"{family}:{name}({','.join(texts)})" if texts else f"{family}:{name}"


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"({','.join(str(part) for part in value)})" if isinstance(value, list) else str(value)
