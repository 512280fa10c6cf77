"""Bounded graphs of auto_LiRPA, kept for as long as the module computes what it did when they were built."""

from __future__ import annotations

import copy
import hashlib
import pickle
import threading
import types
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

__all__ = ["Graph", "Graphs"]

MOST_SHAPES = 4
"""Shapes of input for which one module's graphs are kept."""


@dataclass(frozen=True)
class Graph:
    """A module as auto_LiRPA's bounded module, built on a copy."""

    bounded: Any
    content: bytes | None
    """Digest of the module as it was; None where it cannot be told, so that the graph serves once."""
    outputs: list[int]
    """Shape of what the module gives; the bounded module itself forgets it over specifications."""

    def learn(self, module: nn.Module) -> None:
        """Let gradients flow to the module's own parameters, which hold the same numbers as the copy's."""
        own = dict(module.named_parameters(remove_duplicate=False))
        for node in self.bounded.nodes():
            held = getattr(node, "_parameters", {}).get("param")
            if held is not None and node.ori_name in own:
                node._parameters["param"] = own[node.ori_name]

    def forget(self) -> None:
        """Hold parameters of its own again, which no gradient reaches."""
        for node in self.bounded.nodes():
            held = getattr(node, "_parameters", {}).get("param")
            if held is not None and held.requires_grad:
                node._parameters["param"] = nn.Parameter(held.detach().clone(), requires_grad=False)


@dataclass(frozen=True)
class Graphs:
    """The graphs of one backend, by module and shape of input.

    A bounded module shares parameters with its module but copies buffers and traces constants, and `.data` changes
    leave no mark, so a graph is used again only if every number and setting of the module is what it was.
    """

    kept: WeakKeyDictionary[nn.Module, OrderedDict[tuple[object, ...], Graph]] = field(
        default_factory=WeakKeyDictionary
    )
    lock: threading.RLock = field(default_factory=threading.RLock)

    def get(self, module: nn.Module, inputs: Tensor, library: Any, options: dict[str, Any]) -> Graph:
        """The graph for this module and shape of input, built if there is none or the module has changed."""
        key = (tuple(inputs.shape), inputs.dtype, inputs.device)
        content = _content(module)
        graphs = self.kept.setdefault(module, OrderedDict())
        graph = graphs.get(key)
        if graph is None or content is None or graph.content != content:
            bounded = _built(module, inputs, library, options)
            graph = graphs[key] = Graph(bounded, content, list(bounded.final_shape))
            while len(graphs) > MOST_SHAPES:
                graphs.popitem(last=False)
        graphs.move_to_end(key)
        return graph

    def drop(self, module: nn.Module) -> None:
        """Throw the module's graphs away, whatever state an error left them in."""
        self.kept.pop(module, None)


def _built(module: nn.Module, inputs: Tensor, library: Any, options: dict[str, Any]) -> Any:
    """Build on a copy: auto_LiRPA moves the module, sets its mode and writes its state."""
    with torch.inference_mode(False), torch.no_grad():
        copied = _translated(copy.deepcopy(module), library)
        for parameter in copied.parameters():
            parameter.requires_grad_(False)
        return library.BoundedModule(copied.eval(), inputs.detach().clone(), bound_opts=options, device=inputs.device)


def _translated(module: nn.Module, library: Any) -> nn.Module:
    """Replace layers that auto_LiRPA knows under another name, in place; dropout in evaluation does nothing."""
    for parent in list(module.modules()):
        for name, layer in parent.named_children():
            if isinstance(layer, nn.modules.dropout._DropoutNd):
                setattr(parent, name, nn.Identity())
            elif isinstance(layer, nn.GELU) and layer.approximate == "none":
                setattr(parent, name, library.operators.gelu.GELU())
    return module


def _content(module: nn.Module) -> bytes | None:
    """A digest of all that a module computes from: its numbers, settings, layers and hooks."""
    digest = _Digest()
    try:
        _ContentPickler(digest).dump(module)
    except Exception:  # whatever a stranger's attribute raises, the answer is the same: its content cannot be told
        return None
    return digest.hash.digest()


class _Digest:
    """A file that keeps a hash of what is written."""

    def __init__(self) -> None:
        self.hash = hashlib.blake2b()

    def write(self, data: Any) -> int:
        """Take in more."""
        self.hash.update(data)
        return len(data)


CODE = (type, types.FunctionType, types.BuiltinFunctionType, types.ModuleType)


class _ContentPickler(pickle.Pickler):
    """Writes tensors as their bytes and code as its identity, which pickle would do slowly or not at all."""

    def persistent_id(self, thing: Any) -> object:
        """What stands for a tensor or a piece of code; None for all else."""
        if isinstance(thing, Tensor):
            numbers = thing.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy()
            return ("tensor", str(thing.dtype), tuple(thing.shape), hashlib.blake2b(numbers.data).digest())
        return ("code", id(thing)) if isinstance(thing, CODE) else None
