"""Symbolic tracing by torch.fx of a module that leaves the module as it is and bakes in no tensor of its."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, fx, nn

from sparring.errors import RefusedError
from sparring_plugins.propagation.aside import Aside
from sparring_plugins.propagation.chains import chain_of
from sparring_plugins.propagation.doubles import doubled
from sparring_plugins.propagation.firm import Firm
from sparring_plugins.propagation.references import attribute_of
from sparring_plugins.propagation.stand_ins import Value
from sparring_plugins.propagation.trace import FACTORIES, Tracing

__all__ = ["symbolically"]


class _Tracer(Firm, fx.Tracer):
    """Refers to buffers as to parameters, so that what is computed from them is computed anew for each bound.

    A plain chain of layers is one operation, which `Tracing` takes apart.
    """

    proxy_buffer_attributes = True

    def __init__(self) -> None:
        super().__init__(autowrap_functions=FACTORIES)
        self._autowrap_search.append(torch)  # these are written as `torch.zeros`
        self.aside = Aside(self._called)

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The stand-in for what a node gives."""
        return Value(node, self)

    def _called(self, function: Any, args: Any, kwargs: Any) -> Any:
        name = getattr(function, "__name__", None) or str(function)
        self.failed = self.failed or TypeError(f"{name} of a parameter that was not asked for by name")
        return function(*args, **kwargs)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """A layer of torch, or a chain of them."""
        return super().is_leaf_module(m, module_qualified_name) or chain_of(m) is not None


def symbolically(tracing: Tracing, module: nn.Module, example: Tensor) -> Any:
    """What a module gives, as `Tracing` knows it, by torch.fx with all its patches, which takes any function.

    Raises:
        RefusedError: it cannot trace the module, or an operation has no rule.
    """
    double = doubled(module)
    found: dict[fx.Node, Any] = {}
    for node in _traced(double, tracing).nodes:
        args, kwargs = fx.node.map_arg((node.args, node.kwargs), found.__getitem__)
        if node.op == "output":
            return tracing.returned(args[0])
        if node.op == "placeholder":
            found[node] = _placeholder(tracing, str(node.target), args, example)
        elif node.op == "get_attr":
            found[node] = _attribute(module, double, str(node.target))
        else:
            target = module.get_submodule(str(node.target)) if node.op == "call_module" else node.target
            found[node] = tracing.operation(node.op, _place(node), target, args, kwargs)
    raise AssertionError("a graph has an output")


def _traced(double: nn.Module, tracing: Tracing) -> fx.Graph:
    tracer = _Tracer()
    try:
        with tracer.aside:
            graph = tracer.trace(double)
        if tracer.failed is not None:
            raise tracer.failed
        tracing.whole &= not tracer.aside.found
        return graph
    except Exception as error:
        # Tracing runs the module's own code on stand-ins for tensors, which may raise anything.
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RefusedError(f"bounds: {type(double).__name__} cannot be traced by torch.fx: {line}") from error


def _placeholder(tracing: Tracing, target: str, args: Any, example: Tensor) -> Any:
    """The network's only input; others have what they are if nobody gives them."""
    if tracing.nodes and not args:
        raise RefusedError(f"bounds: the module takes a second input {target!r}, concatenate them into one")
    if tracing.nodes:
        return args[0]
    return tracing.given([example] if target.startswith("*") else example)


def _attribute(module: nn.Module, double: nn.Module, target: str) -> Any:
    """A parameter or buffer by reference to where it lies; a constant that tracing has met lies in the double."""
    owner, _, name = target.rpartition(".")
    holder = module.get_submodule(owner)
    return attribute_of(holder, name) if hasattr(holder, name) else getattr(double.get_submodule(owner), name)


def _place(node: fx.Node) -> str:
    """Where an operation stands, for messages: the path of the innermost module that is being run."""
    stack = node.meta.get("nn_module_stack") or {}
    inner = [str(path) for path, _ in stack.values()]
    return inner[-1] if inner and inner[-1] else node.name
