"""Small policies that the loaders write for the conformance kit; their numbers are drawn, not trained."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from sparring.game import Game
from sparring.simulated.game import SimulatedGame
from sparring.simulated.spaces import Box, Discrete

if TYPE_CHECKING:
    from sparring_plugins.networks.policy import NetworkPolicy

__all__ = ["archive", "first_choice", "network_of", "pairs", "pushed_back", "sizes_of", "state_dict"]

Tensors = dict[str, NDArray[Any]]
HIDDEN = 4


def sizes_of(game: Game) -> tuple[int, int] | None:
    """Numbers of an observation and of an action, or choices; None where torch is missing or something is no vector."""
    if importlib.util.find_spec("torch") is None or not isinstance(game, SimulatedGame):
        return None
    if not isinstance(game.observation, Box) or len(game.observation.shape) != 1:
        return None
    outputs = game.action.count if isinstance(game.action, Discrete) else int(np.prod(game.action.shape))
    return game.observation.shape[0], outputs


def _drawn(shapes: dict[str, tuple[int, ...]]) -> Tensors:
    rng = np.random.default_rng(0)
    return {name: (0.5 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def pairs(folder: Path, game: Game) -> list[str]:
    """A network that normalises and draws, and a recurrent one, as portable pairs."""
    sizes = sizes_of(game)
    if sizes is None or importlib.util.find_spec("safetensors") is None:
        return []
    from sparring_plugins.networks.portable import write_pair

    made = {"plain": _plain(game, *sizes), "recurrent": _recurrent(game, *sizes)}
    for name, policy in made.items():
        write_pair(policy, folder / f"{name}.json")
    return [str(folder / f"{name}.safetensors") for name in made]


def network_of(game: Game) -> NetworkPolicy | None:
    """A network for a simulated game of vectors; None for others."""
    sizes = sizes_of(game)
    return None if sizes is None else _plain(game, *sizes)


def _plain(game: Game, inputs: int, outputs: int) -> NetworkPolicy:
    tensors = _drawn({"policy.fc0.weight": (HIDDEN, inputs), "policy.fc0.bias": (HIDDEN,),
                      "policy.out.weight": (outputs, HIDDEN), "policy.out.bias": (outputs,)})  # fmt: skip
    tensors |= {"obs_mean": np.full(inputs, 0.25), "obs_std": np.full(inputs, 2.0)}
    told = {"policy": {"kind": "mlp", "sizes": [inputs, HIDDEN, outputs], "hidden_activation": "tanh"},
            "observation_normalisation": {"formula": "clip((x-mean)/(std+1e-8), -c, c)", "clip": 5.0}}  # fmt: skip
    return _network("plain", told, tensors, game, outputs)


def _recurrent(game: Game, inputs: int, outputs: int) -> NetworkPolicy:
    tensors = _drawn({
        "policy.embed.weight": (HIDDEN, inputs), "policy.embed.bias": (HIDDEN,),
        "policy.lstm.weight_ih": (4 * HIDDEN, HIDDEN), "policy.lstm.weight_hh": (4 * HIDDEN, HIDDEN),
        "policy.lstm.bias_ih": (4 * HIDDEN,), "policy.lstm.bias_hh": (4 * HIDDEN,),
        "policy.out.weight": (outputs, HIDDEN), "policy.out.bias": (outputs,),
    })  # fmt: skip
    told = {"policy": {"kind": "lstm", "in": inputs, "embed": HIDDEN, "hidden": HIDDEN, "out": outputs,
                       "embed_activation": "relu"}}  # fmt: skip
    return _network("recurrent", told, tensors, game, outputs)


def _network(name: str, told: dict[str, Any], tensors: Tensors, game: Game, outputs: int) -> NetworkPolicy:
    from sparring_plugins.networks.policy import NetworkPolicy

    if isinstance(getattr(game, "action", None), Discrete):
        kind = {"kind": "categorical", "acts": "sample"}
    else:
        kind = {"kind": "diagonal gaussian, state-independent", "acts": "sample"}
        tensors["policy.log_std"] = np.full(outputs, -1.0, dtype=np.float32)
    return NetworkPolicy({"name": name, "role": "victim", **told, "action_distribution": kind}, tensors)


def archive(folder: Path, game: Game) -> list[str]:
    """An archive as stable-baselines3 writes them for its actors and critics."""
    sizes = sizes_of(game)
    if sizes is None:
        return []
    import torch

    inputs, outputs = sizes
    shapes: dict[str, tuple[int, ...]] = {
        "mlp_extractor.policy_net.0.weight": (HIDDEN, inputs), "mlp_extractor.policy_net.0.bias": (HIDDEN,),
        "action_net.weight": (outputs, HIDDEN), "action_net.bias": (outputs,),
    }  # fmt: skip
    if isinstance(getattr(game, "action", None), Box):
        shapes["log_std"] = (outputs,)
    path = folder / "agent.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("data", json.dumps({"policy_class": {"__module__": "stable_baselines3.common.policies"}}))
        with made.open("policy.pth", "w") as weights:
            torch.save({name: torch.from_numpy(array) for name, array in _drawn(shapes).items()}, weights)
    return [str(path), f"{path}(acts=sample)"]


def state_dict(folder: Path, game: Game) -> list[str]:
    """The state of one linear layer, and how to make the layer."""
    sizes = sizes_of(game)
    if sizes is None:
        return []
    import torch

    inputs, outputs = sizes
    drawn = _drawn({"weight": (outputs, inputs), "bias": (outputs,)})
    torch.save({name: torch.from_numpy(array) for name, array in drawn.items()}, folder / "net.pt")
    gives = "logits" if isinstance(getattr(game, "action", None), Discrete) else "action"
    arguments = json.dumps({"in_features": inputs, "out_features": outputs}, separators=(",", ":"))
    return [f"{folder / 'net.pt'}(module=torch.nn:Linear,arguments='{arguments}',gives={gives})"]


def pushed_back(observation: NDArray[Any]) -> NDArray[Any]:
    """Against the first two numbers of what is seen, [batch, 2]."""
    return -np.asarray(observation, dtype=np.float64)[:, :2]


def first_choice(observation: NDArray[Any]) -> NDArray[np.int64]:
    """The first choice, [batch]."""
    return np.zeros(len(observation), dtype=np.int64)
