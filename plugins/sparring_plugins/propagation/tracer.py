"""Symbolic tracing of a module that leaves the module as it is and bakes in no tensor of its."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, fx, nn

from sparring.errors import RefusedError

__all__ = ["FACTORIES", "symbolic"]


FACTORIES: tuple[Callable[..., Any], ...] = (torch.zeros, torch.ones, torch.full)
"""Functions that may take the batch size: their values are the same for all samples, one sample stands for them."""


class _Value(fx.Proxy):
    """A stand-in that tells `x += y` from `x = x + y`: other names of `x` see the change."""

    def _changed(self, operation: Any, other: Any) -> Any:
        return self.tracer.create_proxy("call_function", operation, (self, other), {})

    def __iadd__(self, other: Any) -> Any:
        return self._changed(operator.iadd, other)

    def __isub__(self, other: Any) -> Any:
        return self._changed(operator.isub, other)

    def __imul__(self, other: Any) -> Any:
        return self._changed(operator.imul, other)

    def __itruediv__(self, other: Any) -> Any:
        return self._changed(operator.itruediv, other)

    def __ipow__(self, other: Any) -> Any:
        return self._changed(operator.ipow, other)


class _Tracer(fx.Tracer):
    """Refers to buffers as to parameters, so that what is computed from them is computed anew for each bound."""

    proxy_buffer_attributes = True

    def __init__(self) -> None:
        super().__init__(autowrap_functions=FACTORIES)
        self._autowrap_search.append(torch)  # these are written as `torch.zeros`, and take no stand-in by themselves

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The stand-in for what a node gives."""
        return _Value(node, self)


def symbolic(module: nn.Module) -> tuple[nn.Module, fx.Graph]:
    """The operations of a module's forward pass, and a double of the module that has the constants in them.

    Raises:
        RefusedError: hooks or replaced methods hide what the module computes, or torch.fx cannot trace it.
    """
    for path, part in module.named_modules():
        if part._forward_hooks or part._forward_pre_hooks:
            raise RefusedError(f"bounds: the module at {path!r} has forward hooks, which cannot be traced; remove them")
        if "forward" in part.__dict__:
            raise RefusedError(f"bounds: the module at {path!r} has a forward of its own, which cannot be traced")
    chain = list(_chain(module, ""))
    if None not in chain:
        return module, _of_chain(chain)
    double = _double(module, {})
    try:
        with torch.no_grad():
            return double, _Tracer().trace(double)
    except Exception as error:
        # Tracing runs the module's own code on stand-ins for tensors, which may raise anything.
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RefusedError(f"bounds: {type(module).__name__} cannot be traced by torch.fx: {line}") from error


def _chain(module: nn.Module, path: str) -> Iterator[str | None]:
    """Paths of layers of torch that act one after the other, as they do in `nn.Sequential`; None for anything else."""
    for name, part in module._modules.items() if type(module) is nn.Sequential else [("", None)]:
        if type(part) is nn.Sequential:
            yield from _chain(part, f"{path}{name}.")
        else:
            # What torch.fx takes for one operation; classes that are derived from these have a module of their own.
            own = type(part).__module__.startswith("torch.nn.") and not isinstance(part, nn.Sequential)
            yield f"{path}{name}" if own else None


def _of_chain(paths: Sequence[Any]) -> fx.Graph:
    """What torch.fx makes of such a chain, in a fifth of its time."""
    graph = fx.Graph()
    last = graph.placeholder("input")
    for path in paths:
        last = graph.call_module(path, (last,))
    graph.output(last)
    return graph


def _double(module: nn.Module, known: dict[nn.Module, nn.Module]) -> nn.Module:
    """A module with the same tensors in tables of its own; tracing leaves constants behind in these.

    Tensors that are plain attributes become buffers of the double: those are referred to, attributes are not.
    """
    if module in known:
        return known[module]
    double = known[module] = object.__new__(type(module))
    state: dict[str, Any] = dict(module.__dict__)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name in tensors:
        del state[name]
    state["_parameters"], state["_buffers"] = dict(module._parameters), {**module._buffers, **tensors}
    state["_modules"] = {name: None if part is None else _double(part, known) for name, part in module._modules.items()}
    double.__dict__.update(state)
    return double
