"""Small networks with their descriptions, as portable pairs have them; their numbers are drawn, not trained."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Tensors = dict[str, NDArray[Any]]


def drawn(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> Tensors:
    rng = np.random.default_rng(seed)
    return {name: (0.5 * rng.normal(size=shape)).astype(np.float32) for name, shape in shapes.items()}


def gaussian(inputs: int = 4, outputs: int = 2, **told: Any) -> tuple[dict[str, Any], Tensors]:
    """A Gaussian MLP with normalisation far from the identity, clipped at 2."""
    rng = np.random.default_rng(1)
    tensors = drawn({
        "policy.fc0.weight": (8, inputs), "policy.fc0.bias": (8,), "policy.fc1.weight": (6, 8), "policy.fc1.bias": (6,),
        "policy.out.weight": (outputs, 6), "policy.out.bias": (outputs,), "policy.log_std": (outputs,),
    })  # fmt: skip
    tensors |= {"obs_mean": rng.normal(size=inputs), "obs_std": rng.uniform(0.2, 3, inputs)}
    description = {
        "name": "drawn",
        "role": "victim",
        "policy": {"kind": "mlp", "sizes": [inputs, 8, 6, outputs], "hidden_activation": "tanh"},
        "action_distribution": {"kind": "diagonal gaussian, state-independent", "evaluate": "deterministic: mean"},
        "observation_normalisation": {"formula": "clip((x-mean)/(std+1e-8), -c, c)", "clip": 2.0},
        **told,
    }
    return description, tensors


def recurrent(inputs: int = 4, outputs: int = 2, **told: Any) -> tuple[dict[str, Any], Tensors]:
    """A Gaussian LSTM."""
    tensors = drawn({
        "policy.embed.weight": (5, inputs), "policy.embed.bias": (5,),
        "policy.lstm.weight_ih": (12, 5), "policy.lstm.weight_hh": (12, 3),
        "policy.lstm.bias_ih": (12,), "policy.lstm.bias_hh": (12,),
        "policy.out.weight": (outputs, 3), "policy.out.bias": (outputs,), "policy.log_std": (outputs,),
    })  # fmt: skip
    architecture = {"kind": "lstm", "in": inputs, "embed": 5, "hidden": 3, "out": outputs, "embed_activation": "relu"}
    distribution = {"kind": "diagonal gaussian", "evaluate": "deterministic: mean"}
    return {"name": "drawn", "policy": architecture, "action_distribution": distribution, **told}, tensors


def frames(**told: Any) -> tuple[dict[str, Any], Tensors]:
    """A categorical network of single frames, described as published ones are."""
    tensors = drawn({
        "conv1.weight": (4, 1, 3, 3), "conv1.bias": (4,), "conv2.weight": (4, 4, 3, 3), "conv2.bias": (4,),
        "gru.weight_ih": (15, 36), "gru.weight_hh": (15, 5), "gru.bias_ih": (15,), "gru.bias_hh": (15,),
        "policy.weight": (3, 5), "policy.bias": (3,), "value.weight": (1, 5), "value.bias": (1,),
    })  # fmt: skip
    words = {"input": [1, 12, 12], "conv1..conv2": "4 filters, 3x3, stride 2, padding 1, ELU after each", "gru": "GRU"}
    return {
        "name": "drawn",
        "architecture": words,
        "action_distribution": {"kind": "categorical over logits"},
        **told,
    }, tensors


def adversary(features: int = 4) -> tuple[dict[str, Any], Tensors]:
    """A learned adversary: a network from what the victim's network sees to a change of it."""
    description, tensors = gaussian(features, features)
    kept = {name: array for name, array in tensors.items() if not name.startswith("obs_")}
    return {"name": "drawn.attack", "role": "adversary", "policy": description["policy"]}, kept
