"""Layers that leave their input as it is in evaluation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
from torch import nn

from sparring_plugins.propagation.references import Ref
from sparring_plugins.propagation.trace import Rule, Tracing

__all__ = ["FUNCTIONS", "METHODS", "MODULES"]


def _dropout(
    tracing: Tracing, path: str, input: Ref, p: float = 0.5, training: bool = True, inplace: bool = False
) -> Ref:
    if training:
        raise tracing.refuse(f"{tracing.doing} in training mode; call .eval() first")
    return input


def _dropout_module(tracing: Tracing, path: str, module: nn.Module, input: Ref) -> Ref:
    return _dropout(tracing, path, input, training=module.training)


def _identity(tracing: Tracing, path: str, module: nn.Module, input: Ref) -> Ref:
    return input


FUNCTIONS: dict[Callable[..., Any], Rule] = {F.dropout: _dropout, F.dropout1d: _dropout, F.dropout2d: _dropout}
METHODS: dict[str, Rule] = {}
MODULES: dict[Any, Rule] = {
    nn.Identity: _identity,
    nn.Dropout: _dropout_module,
    nn.Dropout1d: _dropout_module,
    nn.Dropout2d: _dropout_module,
}
