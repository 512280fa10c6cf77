"""Symbolic tracing of a module that leaves the module as it is and bakes in no tensor of its."""

from __future__ import annotations

import inspect
import operator
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor, fx, nn

from sparring.errors import RefusedError

__all__ = ["FACTORIES", "Symbolic", "chain_of", "symbolic"]


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
    """Refers to buffers as to parameters, so that what is computed from them is computed anew for each bound.

    A plain chain of layers is one operation, which `Tracing` takes apart.
    """

    proxy_buffer_attributes = True

    def __init__(self, wraps: bool) -> None:
        """`wraps` lets functions of `math`, and `FACTORIES`, take stand-ins: finding them takes a third of the time."""
        if wraps:
            super().__init__(autowrap_functions=FACTORIES)
            self._autowrap_search.append(torch)  # these are written as `torch.zeros`
        else:
            super().__init__(autowrap_modules=())  # type: ignore[arg-type]  # torch types it as a tuple of just one

    def proxy(self, node: fx.Node) -> fx.Proxy:
        """The stand-in for what a node gives."""
        return _Value(node, self)

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        """A layer of torch, or a chain of them."""
        return super().is_leaf_module(m, module_qualified_name) or chain_of(m) is not None

    def quickly(self, root: nn.Module) -> fx.Graph:
        """What `trace` gives for a module whose parts are all `_Traced`: these need no patches of `nn.Module`."""
        self.root, self.root_module_name = root, root._get_name()
        self.submodule_paths = {part: name for name, part in root.named_modules()}
        self.graph, self.tensor_attrs, self._proxies = fx.Graph(tracer_cls=_Tracer), {}, dict[str, Any]()
        forward, given = self.create_args_for_root(type(root).forward, True)
        self.create_node("output", "output", (self.create_arg(forward(*given)),), {})
        return self.graph

    def attribute(self, name: str, value: Any) -> Any:
        """What a part gives for an attribute: a stand-in for a tensor."""
        return self.getattr(name, value, self._proxies) if isinstance(value, Tensor) else value


class _Traced:
    """Mixed into the class of a double, in front: calls and attributes go by a tracer, which each double knows."""

    # What comes after it is an `nn.Module`, which has both; `object`, of which types alone know here, has neither.
    def __call__(self: Any, *args: Any, **kwargs: Any) -> Any:
        return self._tracer.call_module(self, super().__call__, args, kwargs)  # type: ignore[misc]

    def __getattr__(self: Any, name: str) -> Any:
        return self.__dict__["_tracer"].attribute(name, super().__getattr__(name))  # type: ignore[misc]


@lru_cache(maxsize=256)
def _traced_kind(kind: Any) -> type[nn.Module]:
    """A class like this one, of modules that are `_Traced`.

    Raises:
        TypeError: it has ways of its own to be called, to give attributes or to be derived from.
    """
    names = ("__call__", "__getattr__", "__init_subclass__", "__getattribute__")
    own = [name for name in names if not _same(getattr(kind, name), getattr(nn.Module, name))]
    if own or type(kind) is not type:
        raise TypeError(f"{kind.__name__} is called in a way of its own")
    return type(kind.__name__, (_Traced, kind), {"__module__": kind.__module__, "_kind": kind})


def _same(one: Any, other: Any) -> bool:
    """Whether two attributes of classes are one function."""
    return getattr(one, "__func__", one) is getattr(other, "__func__", other) or (
        inspect.isbuiltin(one) and inspect.isbuiltin(other)
    )


def _kind(module: nn.Module) -> type[nn.Module]:
    """The class of a module, or of what it is a double of."""
    kind = type(module)
    found: type[nn.Module] = kind.__dict__.get("_kind", kind)
    return found


@dataclass(frozen=True, eq=False)
class Symbolic:
    """What a module's forward pass does."""

    holder: nn.Module
    """Has the constants in it that tracing has met."""
    graph: fx.Graph | None
    """None for a chain of layers."""


def symbolic(module: nn.Module) -> Symbolic:
    """The operations of a module's forward pass.

    Raises:
        RefusedError: hooks or replaced methods hide what the module computes, or torch.fx cannot trace it.
    """
    for path, part in module.named_modules():
        if part._forward_hooks or part._forward_pre_hooks:
            raise RefusedError(f"bounds: the module at {path!r} has forward hooks, which cannot be traced; remove them")
        if "forward" in part.__dict__:
            raise RefusedError(f"bounds: the module at {path!r} has a forward of its own, which cannot be traced")
    if chain_of(module) is not None:
        return Symbolic(module, None)
    try:
        return _quickly(module)
    except Exception:  # most often a function that takes no stand-ins met one; the next attempt tells what else it was
        return _as_it_comes(module)


def _as_it_comes(module: nn.Module) -> Symbolic:
    """By torch.fx with all its patches, which takes any function.

    Raises:
        RefusedError: it cannot trace the module.
    """
    try:
        double = _double(module, {}, None)
        with torch.no_grad():
            return Symbolic(double, _Tracer(wraps=True).trace(double))
    except Exception as error:
        # Tracing runs the module's own code on stand-ins for tensors, which may raise anything.
        line = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise RefusedError(f"bounds: {type(module).__name__} cannot be traced by torch.fx: {line}") from error


def _quickly(module: nn.Module) -> Symbolic:
    tracer = _Tracer(wraps=False)
    double = _double(module, {}, tracer)
    with torch.no_grad():
        return Symbolic(double, tracer.quickly(double))


def chain_of(module: nn.Module) -> list[str] | None:
    """Paths of layers of torch that act one after the other, as they do in `nn.Sequential`; None for anything else."""
    if _kind(module) is not nn.Sequential:
        return None
    found = list(_chain(module, ""))
    layers = [path for path in found if path is not None]
    return layers if len(layers) == len(found) else None


def _chain(module: nn.Module, path: str) -> Iterator[str | None]:
    for name, part in module._modules.items():
        if part is not None and _kind(part) is nn.Sequential:
            yield from _chain(part, f"{path}{name}.")
        else:
            # What torch.fx takes for one operation; classes that are derived from these have a module of their own.
            own = type(part).__module__.startswith("torch.nn.") and not isinstance(part, nn.Sequential)
            yield f"{path}{name}" if own else None


def _double(module: nn.Module, known: dict[nn.Module, nn.Module], tracer: _Tracer | None) -> nn.Module:
    """A module with the same tensors in tables of its own, in which tracing leaves constants behind.

    Tensors that are plain attributes become buffers of the double: those are referred to, attributes are not. Where a
    tracer is given, the double's calls and attributes go by it.
    """
    if module in known:
        return known[module]
    kind: Any = type(module)
    double: nn.Module = object.__new__(kind if tracer is None else _traced_kind(kind))
    known[module] = double
    state: dict[str, Any] = dict(module.__dict__)
    tensors = {name: value for name, value in state.items() if isinstance(value, Tensor)}
    for name in tensors:
        del state[name]
    state["_parameters"], state["_buffers"] = dict(module._parameters), {**module._buffers, **tensors}
    parts = module._modules.items()
    state["_modules"] = {name: None if part is None else _double(part, known, tracer) for name, part in parts}
    double.__dict__.update(state if tracer is None else {**state, "_tracer": tracer})
    return double
