"""Networks of the references: torch modules from `net.json` and `weights.safetensors`."""

from __future__ import annotations

import json
import keyword
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

Settings = dict[str, Any]

LAYERS: dict[str, Callable[[Settings], nn.Module]] = {
    "linear": lambda s: nn.Linear(s["in_features"], s["out_features"], bias=s.get("bias", True)),
    "conv1d": lambda s: nn.Conv1d(s["in_channels"], s["out_channels"], *_window(s)),
    "conv2d": lambda s: nn.Conv2d(s["in_channels"], s["out_channels"], *_window(s)),
    "batchnorm1d": lambda s: nn.BatchNorm1d(s["features"], eps=s.get("eps", 1e-5)),
    "batchnorm2d": lambda s: nn.BatchNorm2d(s["features"], eps=s.get("eps", 1e-5)),
    "layernorm": lambda s: nn.LayerNorm(s["dim"], eps=s.get("eps", 1e-5)),
    "avgpool1d": lambda s: nn.AvgPool1d(*_window(s)),
    "avgpool2d": lambda s: nn.AvgPool2d(*_window(s)),
    "maxpool2d": lambda s: nn.MaxPool2d(*_window(s)),
    "flatten": lambda s: nn.Flatten(s.get("start", 1)),
    "relu": lambda s: nn.ReLU(),
    "leaky_relu": lambda s: nn.LeakyReLU(s.get("slope", 0.01)),
    "elu": lambda s: nn.ELU(s.get("alpha", 1.0)),
    "softplus": lambda s: nn.Softplus(s.get("beta", 1.0)),
    "gelu": lambda s: nn.GELU(),
    "silu": lambda s: nn.SiLU(),
    "tanh": lambda s: nn.Tanh(),
    "sigmoid": lambda s: nn.Sigmoid(),
    "softmax": lambda s: nn.Softmax(s.get("dim", 1)),
}
"""Operations that are layers of torch."""


def _window(settings: Settings) -> tuple[int, int, int]:
    return settings["kernel"], settings.get("stride", 1), settings.get("padding", 0)


FUNCTIONS: dict[str, Callable[..., Tensor]] = {
    "add": lambda s, a, b: a + b,
    "sub": lambda s, a, b: a - b,
    "mul": lambda s, a, b: a * b,
    "neg": lambda s, a: -a,
    "scale": lambda s, a: a * s["factor"],
    "shift": lambda s, a: a + s["offset"],
    "mean": lambda s, a: a.mean(dim=s["dim"], keepdim=s.get("keepdim", True)),
    "sum": lambda s, a: a.sum(dim=s["dim"], keepdim=s.get("keepdim", True)),
    "slice": lambda s, a: a[:, s["start"] : s["stop"]],
    "concat": lambda s, *parts: torch.cat(parts, dim=s.get("dim", 1)),
    "reshape": lambda s, a: a.reshape(a.shape[0], *s["shape"]),
    "permute": lambda s, a: a.permute(*s["dims"]),
    "clamp": lambda s, a: a.clamp(s["min"], s["max"]),
}
"""Operations without a layer; the settings of the node come first."""


@dataclass(frozen=True)
class Node:
    name: str
    op: str
    inputs: tuple[str, ...]
    settings: Settings


def attribute(name: str) -> str:
    """What the layer of a node, or its weights, is called in the module; `in` would be no Python name."""
    node, dot, rest = name.partition(".")
    return f"{node}_{dot}{rest}" if keyword.iskeyword(node) else name


class GoldenNetwork(nn.Module):
    """A graph of operations; the last node is the output. Its layers are called like their nodes."""

    def __init__(self, nodes: list[Node]) -> None:
        super().__init__()
        self.nodes = nodes
        for node in nodes:
            if node.op in LAYERS:
                self.add_module(attribute(node.name), LAYERS[node.op](node.settings))

    def forward(self, x: Tensor) -> Tensor:
        values = {"x": x}
        for node in self.nodes:
            inputs = [values[name] for name in node.inputs]
            layer = self._modules.get(attribute(node.name))
            found = FUNCTIONS[node.op](node.settings, *inputs) if layer is None else layer(*inputs)
            values[node.name] = found
        return values[self.nodes[-1].name]


def golden_network(folder: Path, dtype: torch.dtype = torch.float64) -> GoldenNetwork:
    """The network of a folder in evaluation mode, its float32 weights in `dtype`; nothing requires gradients."""
    description = json.loads((folder / "net.json").read_text())
    nodes = [_node(entry) for entry in description["nodes"]]
    with torch.random.fork_rng(devices=[]):
        network = GoldenNetwork(nodes)
    weights = _weights(folder, description["weights"], network)
    network.load_state_dict({attribute(name): value for name, value in weights.items()}, strict=True)
    return network.to(dtype).eval().requires_grad_(False)


def _node(entry: Settings) -> Node:
    known = {"name", "op", "in"}
    if entry["op"] not in {*LAYERS, *FUNCTIONS}:
        raise NotImplementedError(f"references: no operation {entry['op']!r} for node {entry['name']!r}")
    settings = {name: value for name, value in entry.items() if name not in known}
    return Node(entry["name"], entry["op"], tuple(entry["in"]), settings)


def _weights(folder: Path, source: Any, network: nn.Module) -> dict[str, Tensor]:
    if isinstance(source, str):
        return load_file(folder / source)
    assert source["kind"] == "splitmix64_uniform"
    found = {}
    for place, name in enumerate(source["order"]):
        reach = source["gain"] / math.sqrt(source["fan_in"][name])
        shape = network.get_parameter(attribute(name)).shape
        found[name] = uniform_weights(source["seed"] + 1000003 * place, shape.numel(), reach).reshape(shape)
    return found


def uniform_weights(seed: int, count: int, reach: float) -> Tensor:
    """Numbers between -reach and reach from the generator splitmix64 (Steele, Lea, Flood 2014), float32."""
    with np.errstate(over="ignore"):
        state = np.uint64(seed) + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        state ^= state >> np.uint64(31)
    part = (state >> np.uint64(40)).astype(np.float64) * 2.0**-24  # as many digits as a float32 has
    return torch.from_numpy(((2 * part - 1) * reach).astype(np.float32))
