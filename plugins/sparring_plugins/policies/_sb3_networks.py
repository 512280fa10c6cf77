"""From the tensors of stable-baselines3's policies to descriptions and names of the portable pair."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from numpy.typing import NDArray

from sparring.errors import RequestError
from sparring_plugins.policies._sb3_archive import Archive

__all__ = ["described"]

Tensors = dict[str, NDArray[Any]]
Described = tuple[dict[str, Any], Tensors]


def described(archive: Archive, who: str) -> Described:
    """Description and tensors of the acting network, as a portable pair has them.

    Raises:
        RequestError: a policy of an algorithm or network that this does not know.
    """
    known: dict[str, Callable[[Archive, str], Described]] = {
        "stable_baselines3.common.policies": _actor_critic,
        "stable_baselines3.dqn.policies": _dqn,
        "stable_baselines3.sac.policies": _sac,
        "stable_baselines3.td3.policies": _td3,
    }
    if archive.home not in known:
        told = ", ".join("PPO and A2C" if "common" in home else home.split(".")[1].upper() for home in known)
        raise RequestError(f"{who}: a policy of {archive.home}; those of {told} (and DDPG) are known")
    return known[archive.home](archive, who)


def _actor_critic(archive: Archive, who: str) -> Described:
    """PPO and A2C: a shared or separate body, then `action_net`."""
    found = archive.tensors
    if archive.squashed:
        raise RequestError(f"{who}: squashes its actions (squash_output), which this does not know")
    layers = [*_layers(found, "mlp_extractor.policy_net"), "action_net"]
    body, tensors = _body(archive, layers, "features_extractor", archive.activation or "tanh", who)
    spread = found.get("log_std")
    if spread is None:
        return {"policy": body, "action_distribution": {"kind": "categorical over logits", "acts": "greedy"}}, tensors
    clipped = {"policy": body, "clip_action": True}
    if spread.ndim != 1:  # state-dependent exploration: its mean is the same, its spread is not a number an action
        return {**clipped, "action_distribution": {"kind": "deterministic"}}, tensors
    told = {"kind": "diagonal gaussian, state-independent", "acts": "mean"}
    return {**clipped, "action_distribution": told}, {**tensors, "policy.log_std": spread}


def _dqn(archive: Archive, who: str) -> Described:
    layers = _layers(archive.tensors, "q_net.q_net")
    body, tensors = _body(archive, layers, "q_net.features_extractor", archive.activation or "relu", who)
    return {"policy": body, "action_distribution": {"kind": "values"}}, tensors


def _sac(archive: Archive, who: str) -> Described:
    layers = [*_layers(archive.tensors, "actor.latent_pi"), "actor.mu"]
    body, tensors = _body(archive, layers, "actor.features_extractor", archive.activation or "relu", who)
    return _stretched(body, who), tensors


def _td3(archive: Archive, who: str) -> Described:
    layers = _layers(archive.tensors, "actor.mu")
    body, tensors = _body(archive, layers, "actor.features_extractor", archive.activation or "relu", who)
    return _stretched(body, who), tensors


def _stretched(body: dict[str, Any], who: str) -> dict[str, Any]:
    if body["kind"] != "mlp":
        raise RequestError(f"{who}: convolutions with continuous actions, which this does not know")
    return {
        "policy": {**body, "output_activation": "tanh"},
        "rescale_action": True,
        "action_distribution": {"kind": "deterministic"},
    }


def _layers(tensors: Mapping[str, Any], start: str) -> list[str]:
    """Names of the linear layers of a sequence, in order."""
    places = [re.fullmatch(re.escape(start) + r"\.(\d+)\.weight", name) for name in tensors]
    return [f"{start}.{place}" for place in sorted(int(found[1]) for found in places if found)]


def _body(archive: Archive, layers: list[str], seen: str, hidden: str, who: str) -> Described:
    """Architecture and tensors of linear layers, with the convolutions before them where there are some."""
    found = archive.tensors
    weights = [found.get(f"{layer}.weight") for layer in layers]
    if not weights or any(weight is None or weight.ndim != 2 for weight in weights):
        raise RequestError(
            f"{who}: its tensors are not those of a plain network (found: {', '.join(sorted(found)[:4])}, ...)"
        )
    sizes = [int(weights[0].shape[1]), *(int(weight.shape[0]) for weight in weights if weight is not None)]  # type: ignore[union-attr]
    names = [*(f"fc{place}" for place in range(len(layers) - 1)), "out"]
    if f"{seen}.cnn.0.weight" in found:
        if found[f"{seen}.cnn.0.weight"].shape[1:] not in [(stack, 8, 8) for stack in range(1, 17)]:
            raise RequestError(f"{who}: its convolutions are not those of the Nature network")
        return _convolutional(archive, layers, names, sizes, seen, hidden, who)
    if any(name.startswith(f"{seen}.") for name in found):
        raise RequestError(f"{who}: has a features extractor of its own, which this does not know")
    told = {"kind": "mlp", "sizes": sizes, "hidden_activation": hidden, "output_activation": "none"}
    return told, _renamed(found, layers, [f"policy.{name}" for name in names])


def _convolutional(
    archive: Archive, layers: list[str], names: list[str], sizes: list[int], seen: str, hidden: str, who: str
) -> Described:
    found = archive.tensors
    stack = int(found[f"{seen}.cnn.0.weight"].shape[1])
    if found.get(f"{seen}.linear.0.weight") is None or found[f"{seen}.linear.0.weight"].shape[1] != 64 * 7 * 7:
        raise RequestError(f"{who}: its convolutions are not made for frames of 84 by 84 points")
    told = {"kind": "nature", "input": [stack, 84, 84], "head": sizes, "hidden_activation": hidden}
    parts = [f"{seen}.cnn.0", f"{seen}.cnn.2", f"{seen}.cnn.4", f"{seen}.linear.0", *layers]
    ours = ["conv1", "conv2", "conv3", "fc", *(f"head.{name}" for name in names)]
    return told, _renamed(found, parts, [f"policy.{name}" for name in ours])


def _renamed(tensors: Tensors, old: list[str], new: list[str]) -> Tensors:
    return {
        f"{after}.{part}": tensors[f"{before}.{part}"]
        for before, after in zip(old, new, strict=True)
        for part in ("weight", "bias")
        if f"{before}.{part}" in tensors
    }
